//! Wrong usage of a program, as one sentence and one hint: what the parser of arguments says takes a screen.

/// What is wrong, and what to do about it, from the text of an error of clap's.
///
/// ```
/// let text = "error: invalid value 'x' for '--format <FORMAT>'\n  [possible values: table, json]\n\nFor more …\n";
/// let (message, hint) = admin_shell::render::usage(text);
/// assert_eq!(message, "invalid value 'x' for '--format <FORMAT>'");
/// assert_eq!(hint, "possible values: table, json");
/// ```
#[must_use]
pub fn usage(text: &str) -> (String, String) {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let first = text.split("\n\n").next().unwrap_or_default();
    let mut lines = first.lines().map(str::trim);
    let mut message = lines.next().unwrap_or_default().to_owned();
    let mut details = lines.collect::<Vec<_>>().join(", ");
    if message.ends_with(':') {
        message = format!("{message} {details}");
        details.clear();
    }
    let tip = text.lines().find_map(|line| line.trim().strip_prefix("tip: "));
    let hint = match (tip, details.trim_matches(['[', ']'])) {
        (Some(tip), _) => tip,
        (None, "") => "--help says what there is",
        (None, details) => details,
    };
    (message, hint.to_owned())
}
