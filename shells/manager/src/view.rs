//! How insights look: a sentence deserves a line of its own, which a table would cut.

use admin_shell::Width;
use serde_json::Value;

/// Insights as blocks of two lines; `None` for everything else, which looks as usual.
#[must_use]
pub fn insights(value: &Value, _width: Width) -> Option<String> {
    let blocks: Option<Vec<String>> = value.as_array().filter(|list| !list.is_empty())?.iter().map(block).collect();
    Some(blocks?.join("\n"))
}

fn block(insight: &Value) -> Option<String> {
    let text = |key: &str| insight.get(key)?.as_str();
    let (kind, component, what) = (text("kind")?, text("component")?, text("what")?);
    let (since, last, session) = (text("since")?, text("last")?, text("session_id")?);
    let when = if since == last { format!("at {since}") } else { format!("since {since}, last at {last}") };
    Some(format!("{kind:<8}  {component}: {what}\n{:8}  {when} in {session}", ""))
}
