//! The inspector's admin shell: the component, its helpers, and how they reach the tree and the store.
//!
//! A run works in a task of its own, so that Ctrl-C ends the command at once while the run kills its tools and keeps what
//! they found. Whatever reads the store waits for that first.

mod changes;
mod checks;
mod results;
mod tree;
mod watch;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use admin_shell::{Adapter as Connected, AdminShell, Cx, EndReason, HelperError, Helpers, Result};
use anyhow::Context;
use tokio::sync::{Mutex, OnceCell};

use crate::{
    adapter::{self, Adapter, Tool},
    config::{Settings, TreeConfig},
    detect,
    finding::Severity,
    report::RunRow,
    store::Store,
};

/// How long the end of a session waits for a run that was stopped.
const FAREWELL: Duration = Duration::from_secs(3);

/// The component.
pub struct Inspector {
    tree: PathBuf,
    fail_on: Option<Severity>,
    store: OnceCell<Store>,
    /// Held by the run that works.
    busy: Arc<Mutex<()>>,
    /// The exit code that findings ask for.
    exit_code: AtomicU8,
}

impl Inspector {
    /// An inspector of the tree that the settings name, or that the program stands in.
    ///
    /// # Errors
    /// When there is no such directory.
    pub fn new(settings: Settings) -> Result<Self> {
        let tree = match &settings.tree {
            Some(tree) => PathBuf::from(tree),
            None => detect::tree_of(&std::env::current_dir().context("finding the current directory")?),
        };
        let tree = tree.canonicalize().with_context(|| format!("opening the tree {}", tree.display()))?;
        anyhow::ensure!(tree.is_dir(), "the tree {} is no directory", tree.display());
        Ok(Self {
            tree,
            fail_on: settings.fail_on,
            store: OnceCell::new(),
            busy: Arc::default(),
            exit_code: AtomicU8::new(0),
        })
    }

    fn tree_name(&self) -> String {
        self.tree.to_string_lossy().into_owned()
    }
}

impl AdminShell for Inspector {
    const COMPONENT: &'static str = "inspector";
    const VERSION: Option<&'static str> = Some(env!("CARGO_PKG_VERSION"));

    fn helpers(helpers: &mut Helpers<Self>) {
        checks::register(helpers);
        results::register(helpers);
        tree::register(helpers);
        changes::register(helpers);
        watch::register(helpers);
    }

    fn banner(&self) -> Vec<String> {
        vec![format!("Tree: {}", self.tree.display())]
    }

    async fn adapters(cx: &Cx<Self>) -> Vec<Connected> {
        let shared = cx.shared();
        let looked = tokio::task::spawn_blocking(move || adapters(&shared.tree)).await;
        match looked {
            Ok(Ok(adapters)) => adapters
                .into_iter()
                .map(|adapter| {
                    let state = match &adapter.tool {
                        Tool::Found(_) => "found",
                        Tool::Missing(_) => "missing",
                    };
                    Connected::new(adapter.label(), state)
                })
                .collect(),
            Ok(Err(error)) => vec![Connected::new("inspector.toml", format!("{error:#}"))],
            Err(_) => Vec::new(),
        }
    }

    async fn exit_code(cx: &Cx<Self>) -> u8 {
        cx.exit_code.load(Ordering::Relaxed)
    }

    async fn on_end(cx: &Cx<Self>, _reason: EndReason) -> Result<()> {
        let _ = tokio::time::timeout(FAREWELL, cx.busy.lock()).await;
        if let Some(store) = cx.store.get() {
            store.close().await;
        }
        Ok(())
    }
}

/// Every adapter of a tree, as it is now.
fn adapters(tree: &Path) -> Result<Vec<Adapter>> {
    let config = TreeConfig::read(tree)?;
    Ok(adapter::all(tree, &detect::roots(tree, &config), &config))
}

/// The directory that holds what the inspector keeps: beside the journal, where that is a file.
fn data_dir(cx: &Cx<Inspector>) -> PathBuf {
    let journal = Path::new(&cx.session().database);
    match journal.parent() {
        Some(directory) if journal.is_absolute() => directory.to_owned(),
        _ => admin_shell::config::data_dir(),
    }
}

/// The store, opened at its first use.
async fn store(cx: &Cx<Inspector>) -> Result<&Store> {
    cx.store.get_or_try_init(async || Store::open(&data_dir(cx).join("inspector.db")).await).await
}

/// The store when nothing writes to it: a run that was stopped is given the time to keep what it found.
async fn settled(cx: &Cx<Inspector>) -> Result<&Store> {
    drop(cx.busy.lock().await);
    store(cx).await
}

/// The run that was asked for, or the last one.
async fn run_of(cx: &Cx<Inspector>, run: Option<i64>) -> Result<RunRow> {
    let store = settled(cx).await?;
    let tree = cx.tree_name();
    let found = match run {
        Some(run) => store.run(&tree, run).await?,
        None => store.runs(&tree, 1).await?.pop(),
    };
    found.ok_or_else(|| {
        let (message, hint) = match run {
            Some(run) => (format!("this tree has no run {run}"), "runs() lists them"),
            None => ("nothing was checked in this tree yet".to_owned(), "crack() runs all that applies"),
        };
        HelperError::new("not_found", message).hint(hint).into()
    })
}
