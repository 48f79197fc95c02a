//! The command line as a whole: global options and the subcommands' names.

use clap::{Args, Parser, Subcommand};

use crate::{
    analytics, completions, doctor, end, events, health, journal, list, mcp, metrics, schema, serve, show, token,
    verify,
};

const AFTER_HELP: &str = "\
Ids: the beginning of an id is enough, with or without `sess_`, as long as it names one session.
Times: RFC 3339 (2026-03-01T12:00:00Z), a date (2026-03-01, local), or a time ago (7d, 1h30m).
Exit codes: 0 done, 1 failed (a fault was found, …), 2 wrong usage, 3 not found.";

/// Lists and shows the sessions that admin shells recorded, and looks after their journal.
#[derive(Debug, Parser)]
#[command(name = "session-tracker", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which journal is read.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The journal: a path, sqlite:PATH, postgres://USER@HOST/DATABASE, or an archive that `journal prune` wrote
    /// [env: ADMIN_SHELL_DATABASE].
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) database: Option<String>,
    /// A tracker to ask instead of the journal of this machine [env: SESSION_TRACKER_URL; its token: ADMIN_SHELL_TOKEN].
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) tracker: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List sessions, newest first.
    #[command(alias = "list-sessions")]
    List(list::List),
    /// Show one session and its commands.
    #[command(alias = "show-session")]
    Show(show::Show),
    /// Show the events of one session, in their order.
    Events(events::Events),
    /// End sessions: ask those that live to end, record an operator's end of the others.
    #[command(alias = "end-session")]
    End(end::End),
    /// Check that the journal, or one session, is what was recorded.
    Verify(verify::Verify),
    /// Look after the journal itself.
    #[command(alias = "event-buffer")]
    Journal(journal::Journal),
    /// The JSON Schemas of events, and files checked against them.
    Schema(schema::Schema),
    /// Statistics: sessions, duration, components, errors, active.
    Analytics(analytics::Analytics),
    /// Say whether a tracker is well.
    Health(health::Health),
    /// Print a tracker's metrics.
    #[command(alias = "get-prometheus-metrics")]
    Metrics(metrics::Metrics),
    /// Try the whole way of an event, and say what to mend.
    Doctor(doctor::Doctor),
    /// Run the tracker: the service that events of many shells reach.
    Serve(serve::Serve),
    /// Mint bearer tokens, and say what one is worth.
    Token(token::Token),
    /// Speak MCP on standard input and output, for a client that starts this program itself.
    Mcp(mcp::Mcp),
    /// Print a completion script for a shell.
    Completions(completions::Completions),
}
