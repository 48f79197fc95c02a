//! [`main`] and [`main_with`]: a component's shell as a program, from its flags to its exit code.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found; 128 + n after signal n, as shells have it.

use std::{io::Write, panic::AssertUnwindSafe, process::ExitCode};

use clap::error::ErrorKind;
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    AdminShell, Settings, Shell, Wanted,
    flags::{self, Flags},
    log::{self, Log},
    open::record_failed_start,
    serve::{Options, Work},
};
use crate::{
    Result,
    config::{Config, Database, component_settings},
    console::Failure,
    event::{EndReason, Mode},
    redact::Redactor,
    render,
    repl::{error_document, terminal},
    sinks::{STDOUT, WrongSink},
};

/// Runs a component's shell as a program: reads flags and configuration, opens one session, and returns its exit code.
///
/// ```no_run
/// # use admin_shell::{AdminShell, Helpers, Shell};
/// # struct Greeter;
/// # impl AdminShell for Greeter { const COMPONENT: &'static str = "greeter"; fn helpers(_: &mut Helpers<Self>) {} }
/// fn main() -> std::process::ExitCode {
///     admin_shell::main(async || Ok(Shell::new(Greeter)))
/// }
/// ```
pub fn main<S: AdminShell>(open: impl AsyncFnOnce() -> Result<Shell<S>>) -> ExitCode {
    run::<S, serde_json::Map<String, Value>>(&Value::Null, async move |_| open().await)
}

/// The same for a component with settings of its own. Each field of `C` is a flag (`--max-rows`), a variable
/// (`GREETER_MAX_ROWS`) and a key of `greeter.toml` in the configuration directory.
pub fn main_with<C: DeserializeOwned + JsonSchema, S: AdminShell>(
    open: impl AsyncFnOnce(C) -> Result<Shell<S>>,
) -> ExitCode {
    run::<S, C>(&flags::schema_of::<C>(), open)
}

fn run<S: AdminShell, C: DeserializeOwned>(schema: &Value, open: impl AsyncFnOnce(C) -> Result<Shell<S>>) -> ExitCode {
    let matches = flags::command(S::COMPONENT, S::VERSION, schema).try_get_matches();
    let (flags, own) = match matches.and_then(|matches| flags::read(&matches, schema)) {
        Ok(read) => read,
        Err(error) => return wrong_usage(&error),
    };
    let json = flags.json;
    let settings = Config::load(&flags.overrides()).and_then(|config| {
        let log = log::start(&format!("{}-shell", S::COMPONENT), config.log.as_deref())?;
        let typed = |key: &str, text: &str| flags::typed(&schema["properties"][key], text);
        let sinks = Wanted::of(&config, !flags.sink.is_empty());
        Ok((config.database()?, sinks, component_settings::<C>(S::COMPONENT, &own, typed)?, log))
    });
    let (database, sinks, own, log) = match settings {
        Ok(settings) => settings,
        Err(error) => return complain("configuration", &error, 2, json),
    };
    let options = match options(&flags, &database, sinks, log) {
        Ok(options) => options,
        Err((error, code)) => return complain("script", &error, code, json),
    };
    // What panics is caught, recorded and said in a sentence; the place goes to the log.
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain("start", &anyhow::Error::from(error).context("starting the runtime"), 1, json),
    };
    let code = match runtime.block_on(session(open, own, options)) {
        Ok(code) => ExitCode::from(code),
        Err(error) if error.is::<WrongSink>() => complain("configuration", &error, 2, json),
        Err(error) => complain("start", &error, 1, json),
    };
    // The thread at the prompt may be reading still; it ends with the process.
    runtime.shutdown_background();
    code
}

async fn session<S: AdminShell, C>(
    open: impl AsyncFnOnce(C) -> Result<Shell<S>>,
    own: C,
    options: Options,
) -> Result<u8> {
    let shell = match AssertUnwindSafe(open(own)).catch_unwind().await {
        Ok(Ok(shell)) => shell,
        Ok(Err(error)) => {
            record_failed_start::<S>(&options.settings, EndReason::Error).await;
            return Err(error.context(format!("opening `{}`", S::COMPONENT)));
        }
        Err(_) => {
            record_failed_start::<S>(&options.settings, EndReason::Panic).await;
            anyhow::bail!("`{}` panicked while it opened; the log says where", S::COMPONENT);
        }
    };
    // Before anything is recorded: a shell does not run without the delivery that somebody asked for.
    let sinks = shell.sinks_of(&options.settings.sinks, options.settings.mode)?;
    if options.json && sinks.iter().any(|sink| sink.name() == STDOUT) {
        return Err(WrongSink::new("stdout: and --json both want standard output").into());
    }
    drop(sinks);
    let (_, code) = shell.serve(options).await?;
    Ok(code)
}

fn options(
    flags: &Flags,
    database: &Database,
    sinks: Wanted,
    log: Log,
) -> std::result::Result<Options, (anyhow::Error, u8)> {
    let file = flags.file.as_ref().or(flags.script.as_ref());
    let work = match (&flags.code, file) {
        (Some(code), _) => Work::Code(std::os::unix::ffi::OsStrExt::as_bytes(code.as_os_str()).to_vec()),
        (None, Some(path)) if path.as_os_str() == "-" => Work::Stdin,
        (None, Some(path)) => match std::fs::read(path) {
            Ok(bytes) => Work::File { name: path.display().to_string(), bytes },
            Err(error) => {
                let code = if error.kind() == std::io::ErrorKind::NotFound { 3 } else { 1 };
                return Err((
                    anyhow::Error::from(error).context(format!("reading the script {}", path.display())),
                    code,
                ));
            }
        },
        (None, None) if std::io::IsTerminal::is_terminal(&std::io::stdin()) => Work::Prompt,
        (None, None) => Work::Stdin,
    };
    let mode = match &work {
        Work::Prompt => Mode::Interactive,
        Work::Code(_) => Mode::Command,
        Work::File { .. } => Mode::File,
        Work::Stdin => Mode::Stdin,
    };
    Ok(Options {
        work,
        json: flags.json,
        color: terminal::color(flags.no_color),
        settings: Settings {
            mode,
            read_only: flags.read_only,
            reason: flags.reason.clone(),
            yes: flags.yes,
            database: database.clone(),
            sinks,
        },
        log: Some(log),
    })
}

/// Says what is wrong before there is a session: with `--json` as the one document, else on standard error. Files that
/// are quoted may hold secrets.
fn complain(kind: &str, error: &anyhow::Error, code: u8, json: bool) -> ExitCode {
    complain_with(kind, error, None, code, json)
}

fn complain_with(kind: &str, error: &anyhow::Error, hint: Option<String>, code: u8, json: bool) -> ExitCode {
    let message = Redactor::default().text(&format!("{error:#}")).into_string();
    // Nobody reads any more: then nobody hears that either.
    let _ = if json {
        writeln!(
            std::io::stdout(),
            "{}",
            render::json(&error_document(&Failure { hint, ..Failure::new(kind, message) }))
        )
    } else {
        writeln!(std::io::stderr(), "error: {}", render::visible(&message))
    };
    ExitCode::from(code)
}

/// What the command line's reader says: help and version are no errors.
fn wrong_usage(error: &clap::Error) -> ExitCode {
    let is_error = !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    // The flags could not be read, so this one is looked for by hand.
    if is_error && std::env::args_os().any(|arg| arg == "--json") {
        let (message, hint) = render::usage(&error.to_string());
        return complain_with("usage", &anyhow::Error::msg(message), Some(hint), 2, true);
    }
    let _ = error.print();
    ExitCode::from(if is_error { 2 } else { 0 })
}
