//! Modules for `import`: the files of one directory, and nothing outside of it.
//!
//! A module is read once a session. Its functions keep the rule of every input: none has the name of a helper. Modules
//! that import each other in a circle are refused: each import begins a new evaluation, whose depth nothing else counts.

use std::{
    collections::HashMap,
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rhai::{Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};

use super::{engine::Stage, names};
use crate::helper::HelperError;

/// The longest module, in bytes.
const MODULE_BYTES: u64 = 1 << 20;
/// Modules that import modules that import modules.
const IMPORT_DEPTH: usize = 16;

pub(super) struct Scripts {
    directory: PathBuf,
    stage: Arc<Stage>,
    modules: Mutex<Modules>,
}

#[derive(Default)]
struct Modules {
    loaded: HashMap<String, Shared<Module>>,
    loading: Vec<String>,
}

type Failed = Box<EvalAltResult>;

impl Scripts {
    pub(super) fn new(directory: PathBuf, stage: Arc<Stage>) -> Self {
        Self { directory, stage, modules: Mutex::default() }
    }

    fn modules(&self) -> std::sync::MutexGuard<'_, Modules> {
        self.modules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error in our words, whose hint survives the way through the engine.
    fn refuse(&self, error: HelperError, position: Position) -> Failed {
        let mut failed = self.stage.fail(error);
        failed.set_position(position);
        failed
    }

    fn load(&self, engine: &Engine, path: &str, position: Position) -> Result<Module, Failed> {
        let missing = || Failed::from(EvalAltResult::ErrorModuleNotFound(path.to_owned(), position));
        let within = |error: Failed| Failed::from(EvalAltResult::ErrorInModule(path.to_owned(), error, position));
        let name = format!("{path}.rhai");
        let file = self.directory.join(&name);
        if std::fs::metadata(&file).map_err(|_| missing())?.len() > MODULE_BYTES {
            let message = format!("the module `{path}` is larger than {} KiB", MODULE_BYTES >> 10);
            let error = HelperError::new("limit", message).hint("import several smaller ones, or write a helper");
            return Err(self.refuse(error, position));
        }
        let bytes = std::fs::read(&file).map_err(|_| missing())?;
        let text = String::from_utf8(bytes).map_err(|_| {
            let error = HelperError::new("not_text", format!("the module `{path}` is not UTF-8 text"));
            self.refuse(error.hint("scripts are UTF-8 text"), position)
        })?;
        self.stage.sources().keep(&name, &text);
        let mut ast = engine.compile(&text).map_err(|error| within(error.into()))?;
        ast.set_source(name);
        names::refuse_taken(&ast, &self.stage, None).map_err(|(failure, position)| {
            let error = HelperError::new("shadowing", failure.message).hint(failure.hint.unwrap_or_default());
            within(self.refuse(error, position))
        })?;
        Module::eval_ast_as_new(Scope::new(), &ast, engine).map_err(within)
    }
}

impl ModuleResolver for Scripts {
    fn resolve(
        &self,
        engine: &Engine,
        _: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Failed> {
        // Always from the directory itself, never beside the script that imports.
        let plain = !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || path.contains('\0') {
            return Err(EvalAltResult::ErrorModuleNotFound(path.to_owned(), position).into());
        }
        if let Some(module) = self.modules().loaded.get(path) {
            return Ok(Arc::clone(module));
        }
        let loading = self.modules().loading.clone();
        let chain = || loading.iter().map(String::as_str).chain([path]).collect::<Vec<_>>().join(" → ");
        let refuse =
            |message: String, hint: &str| Err(self.refuse(HelperError::new("import", message).hint(hint), position));
        if loading.iter().any(|other| other == path) {
            let hint = "let both import a third one that holds what they share";
            return refuse(format!("the modules import each other: {}", chain()), hint);
        }
        if loading.len() >= IMPORT_DEPTH {
            let message = format!("modules import each other more than {IMPORT_DEPTH} deep: {}", chain());
            return refuse(message, "import what is needed where it is needed");
        }
        self.modules().loading.push(path.to_owned());
        let module = self.load(engine, path, position);
        self.modules().loading.pop();
        let module = Shared::new(module?);
        self.modules().loaded.insert(path.to_owned(), Arc::clone(&module));
        Ok(module)
    }
}
