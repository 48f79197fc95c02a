//! The words that events are told apart by: modes, statuses, reasons to end, kinds of actors.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lower-case words that stand in events, records and on command lines.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[non_exhaustive]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every word, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word as it stands in events.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = super::Invalid;

            fn from_str(text: &str) -> Result<Self, super::Invalid> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(super::Invalid::new(stringify!($name).to_lowercase(), concat!("must be one of:", $(" ", $word),+))),
                }
            }
        }
    };
}

words!(
    /// How commands reach a session.
    Mode {
        /// Lines typed at a prompt.
        Interactive = "interactive",
        /// One command given with `-c`.
        Command = "command",
        /// A script file, `-f FILE` or a shebang.
        File = "file",
        /// A script read from standard input.
        Stdin = "stdin",
        /// Calls made by the host program through `Session`.
        Embedded = "embedded",
    }
);

words!(
    /// How a command or a call ended.
    Status {
        /// It ran to its end.
        Ok = "ok",
        /// It failed.
        Error = "error",
        /// The policy, a hook or the person at the prompt said no.
        Refused = "refused",
        /// It was interrupted.
        Cancelled = "cancelled",
        /// It ran past its time limit.
        Timeout = "timeout",
        /// It was started and nobody knows how it ended.
        Unknown = "unknown",
    }
);

words!(
    /// Why a session ended.
    EndReason {
        /// `exit()` was called.
        Exit = "exit",
        /// End of input at the prompt (Ctrl-D).
        Eof = "eof",
        /// The script or command was done.
        Done = "done",
        /// SIGTERM, SIGINT or SIGQUIT.
        Signal = "signal",
        /// The terminal went away (SIGHUP).
        Hangup = "hangup",
        /// The shell itself panicked.
        Panic = "panic",
        /// The shell could not go on.
        Error = "error",
        /// Nobody typed for too long.
        IdleTimeout = "idle_timeout",
        /// Its host ended it.
        Terminated = "terminated",
        /// Its process died without a word; said by an observer.
        Crashed = "crashed",
        /// An operator ended it from outside.
        Operator = "operator",
        /// Ended by a client of the older generation.
        Legacy = "legacy",
    }
);

words!(
    /// What kind of actor opened a session.
    ActorKind {
        /// A person.
        Human = "human",
        /// A program that acts on a person's behalf.
        Agent = "agent",
        /// A service or a scheduled job.
        Service = "service",
    }
);
