//! Helpers: typed, named async functions that a shell offers to its scripts.
//!
//! A component registers them through [`Helpers`]; each becomes a [`Spec`](crate::spec::Spec) (what it is) and a
//! `Callable` (how it runs). Authors see their own types only: arguments are decoded with serde, results are
//! serialised, and the scripting language is never named here.
//!
//! Mistakes that types can catch do not compile: a destroy helper without [`Approved`](crate::Approved), an argument
//! that can not be decoded. What types can not say is asserted when the shell is opened, all problems at once.

mod arguments;
mod callable;
mod context;
mod convert;
mod error;
mod explain;
mod names;
mod registrar;
mod signature;
mod timespan;

pub use arguments::Input;
pub(crate) use arguments::{Slots, resolve};
pub(crate) use callable::{Callable, Prepared, bind};
pub(crate) use context::{CallCx, Ended, FromHelper, Reach};
pub use context::{Callback, Cx, Progress, SessionInfo};
pub use convert::{Answer, Arg, Arguments, Handle, Json, Output, Problem, Reply, Rows, Secret};
pub(crate) use error::Blame;
pub use error::HelperError;

pub use registrar::{Asks, Helper, Helpers, Plain};
pub use signature::Signature;
pub use timespan::Timespan;
