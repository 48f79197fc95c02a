//! The audited admin console for Rust services.
//!
//! Implement [`AdminShell`] for a component and it has a scriptable shell in which every session and every command is
//! recorded, durably, before it runs, and can be listed, read back and verified afterwards:
//!
//! ```no_run
//! use admin_shell::{AdminShell, Cx, Helpers, Result, Shell};
//!
//! struct Greeter { greeting: String }
//!
//! impl AdminShell for Greeter {
//!     const COMPONENT: &'static str = "greeter";
//!
//!     fn helpers(helpers: &mut Helpers<Self>) {
//!         helpers
//!             .read("greet", "Greets someone by name.")
//!             .param("name", "Whom to greet.")
//!             .example(r#"greet("Ada")"#)
//!             .run(greet);
//!     }
//! }
//!
//! async fn greet(cx: Cx<Greeter>, name: String) -> Result<String> {
//!     Ok(format!("{}, {name}!", cx.greeting))
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     admin_shell::main(async || Ok(Shell::new(Greeter { greeting: "Hello".into() })))
//! }
//! ```
//!
//! # Where things are
//!
//! | module | what it holds |
//! |---|---|
//! | [`event`] | the vocabulary: events, ids, actors, validation, schemas |
//! | [`redact`] | secrets out of text |
//! | [`spec`], [`policy`] | what helpers are, and who may call them; pure |
//! | [`helper`] | registering helpers, their context, arguments and answers |
//! | `script` | the scripting language; the only module that names rhai |
//! | [`session`], [`console`] | running commands, and where their output goes |
//! | `repl` | the prompt; its `editor` is the only module that names rustyline |
//! | [`recorder`] | from a shell into the journal |
//! | [`delivery`] | from the journal to other places: sinks, cursors, retries |
//! | [`sinks`] | one a kind: REST, JSON lines, standard output; the registry of schemes |
//! | [`journal`] | the store of events, its projection, verification and retention |
//! | [`analytics`] | what the record says when it is looked at as a whole; pure |
//! | [`render`] | values as text |
//! | [`config`] | layered configuration and directories |
//! | `token` | bearer tokens: what they say, and how they are minted; feature `jwt` |
//! | `tracker` | the service that events of many shells reach, and its doors; feature `tracker` |
//! | `testing` | for tests of shells; feature `testing` |

pub mod analytics;
pub mod config;
pub mod console;
pub mod delivery;
pub mod event;
pub mod helper;
pub mod journal;
pub mod policy;
pub mod recorder;
pub mod redact;
pub mod render;
mod repl;
mod script;
pub mod session;
mod shell;
pub mod sinks;
pub mod spec;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "jwt")]
pub mod token;
#[cfg(feature = "tracker")]
pub mod tracker;

pub use event::{Actor, EndReason, Event, Mode, Status};
pub use helper::{Callback, Cx, Handle, HelperError, Helpers, Json, Progress, Rows, Secret, SessionInfo, Timespan};
pub use policy::{Approval, Approved, Approver, Origin, Policy, Request, Verdict};
pub use recorder::WhenUnrecorded;
pub use redact::Rule;
pub use render::Width;
pub use repl::terminal_width;
pub use session::{Candidate, Check, Command, Console, Failure, Next, Outcome, Question, Session, Source};
pub use shell::{Adapter, AdminShell, Shell, main, main_with};
pub use spec::{Effect, Param, Registry, Spec};

/// What helpers and hooks return: any error does.
pub type Result<T, E = anyhow::Error> = std::result::Result<T, E>;
