//! The scripting language. Architecture invariant: this module is the only one that names rhai.
//!
//! One thread a session owns the [`Interpreter`]: engine, variables, functions, imports, and the texts of earlier
//! inputs for errors inside earlier functions. Helpers run on the tokio runtime; the thread serves their messages
//! (output, questions, callbacks) until they are done, so callbacks nest without blocking a runtime thread.
//!
//! Everything a script can do to the component goes through [`door`]: it resolves and decodes the arguments, asks the
//! policies, records the call, and only then runs it.

mod command_style;
mod door;
mod engine;
mod failure;
mod interpreter;
mod lexer;
mod limits;
mod modules;
mod names;
mod natives;
mod run;
mod secrets;
mod shape;
mod strings;
mod syntax;
mod value;
mod work;

pub(crate) use command_style::{CommandLine, parse as parse_command_style};

pub(crate) use interpreter::{Arguments, Interpreter, Job};
pub(crate) use limits::{Held, OPERATIONS, PROCESSOR_TIME};
pub(crate) use run::{Evaluated, Run, Setting};
pub(crate) use secrets::secret_literals;
