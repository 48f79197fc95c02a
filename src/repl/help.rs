//! `help()` and `help(name)`: a shell's helpers, in words. Pure: the registry and the width in, text out.
//!
//! Everything said here comes from the [`Registry`], which also feeds completion, the policy and the record: help can not
//! promise what a helper does not take.

mod shape;

use serde_json::Value;

use self::shape::shape;
use crate::{
    render::{Color, Width, columns, json, line, visible, wrap},
    spec::{Effect, Param, Registry, Spec},
};

/// Spaces before what belongs to a heading.
const INDENT: usize = 2;
/// Signatures longer than this do not push everybody's sentence to the right.
const WIDEST_LEFT: usize = 40;

/// What `help()` and `help(name)` answer; `None` for a name that no helper has. Without colours: it is printed like what
/// any script prints.
pub(crate) fn text(registry: &Registry, name: Option<&str>) -> Option<String> {
    let width = super::terminal::width();
    let text = match name.map(|name| registry.get(name.trim().trim_end_matches("()"))) {
        None => help(registry, width, Color::Off),
        Some(spec) => help_on(spec?, width, Color::Off),
    };
    Some(if text.ends_with('\n') { text } else { text + "\n" })
}

/// Every helper by group, with its signature, one sentence, and W or D when it changes or destroys something.
pub(crate) fn help(registry: &Registry, width: Width, color: Color) -> String {
    let mut page = Page { text: String::new(), width, color };
    let mut groups: Vec<&str> = Vec::new();
    for spec in registry.iter() {
        if !groups.contains(&group(spec)) {
            groups.push(group(spec));
        }
    }
    if groups.is_empty() {
        return "This shell has no helpers.".to_owned();
    }
    for name in groups {
        page.heading(name);
        let members = registry.iter().filter(|spec| group(spec) == name);
        let rows: Vec<_> = members
            .map(|spec| (format!("{}  {}", mark(spec.effect), line(&spec.signature())), vec![visible(&spec.doc)]))
            .collect();
        page.rows(&rows);
    }
    if registry.iter().any(|spec| spec.effect != Effect::Read) {
        page.paragraph("W changes something. D destroys something: it asks for a confirmation and a reason.");
    }
    if let Some(first) = registry.iter().next() {
        page.paragraph(&format!("help(\"{}\") says more about one of them.", first.name));
    }
    if let Some(spec) =
        registry.iter().find(|spec| matches!(spec.params.as_slice(), [param] if param.default.is_some()))
    {
        let value = sample(&spec.params[0]);
        let [named, command] = [named(spec), command(spec)].map(Option::unwrap_or_default);
        page.paragraph(&format!("{}({value}), {named} and {command} are the same.", spec.name));
    }
    page.finish()
}

/// One helper: signature, sentence, arguments, effect, examples, and the other ways to write a call.
pub(crate) fn help_on(spec: &Spec, width: Width, color: Color) -> String {
    let mut page = Page { text: String::new(), width, color };
    page.heading(&spec.signature());
    page.lines(&visible(&spec.doc), INDENT);
    if !spec.params.is_empty() {
        page.heading("Arguments");
        let rows: Vec<_> = spec.params.iter().map(|param| (line(&param.name).into_owned(), about(param))).collect();
        page.rows(&rows);
    }
    page.heading("Effect");
    page.lines(&effect(spec), INDENT);
    if !spec.examples.is_empty() {
        page.heading("Examples");
        for example in &spec.examples {
            page.verbatim(&visible(example));
        }
    }
    let others: Vec<_> = [named(spec), command(spec)].into_iter().flatten().collect();
    if !others.is_empty() {
        page.heading("Also");
        for other in others {
            page.verbatim(&other);
        }
    }
    page.finish()
}

fn group(spec: &Spec) -> &str {
    spec.group.as_deref().unwrap_or("Helpers")
}

fn mark(effect: Effect) -> char {
    match effect {
        Effect::Read => ' ',
        Effect::Write => 'W',
        Effect::Destroy => 'D',
    }
}

fn effect(spec: &Spec) -> String {
    let mut text = match (spec.effect, spec.has_preview) {
        (Effect::Read, _) => "Looks only.".to_owned(),
        (Effect::Write, _) => "Changes something (W): every call is recorded before it runs.".to_owned(),
        (Effect::Destroy, preview) => {
            let first = if preview { "shows what would happen, and " } else { "" };
            format!(
                "Destroys something (D): {first}asks for a confirmation and a reason; every call is recorded before it runs."
            )
        }
    };
    if let Some(limit) = spec.timeout {
        text.push_str(&format!(" Stopped after {limit:?}."));
    }
    text
}

/// The sentence about a parameter, then the facts.
fn about(param: &Param) -> Vec<String> {
    let mut facts = vec![shape(param.schema.as_ref())];
    match (&param.default, param.optional) {
        (Some(value), _) => facts.push(format!("default {}", json(value))),
        (None, true) => facts.push("may be left out".to_owned()),
        (None, false) => {}
    }
    if let Some(field) = &param.field {
        facts.push(format!("a record stands for its `{field}`"));
    }
    if param.secret {
        facts.push("secret: never recorded".to_owned());
    }
    if param.has_values {
        facts.push("Tab knows values".to_owned());
    }
    vec![visible(&param.doc), line(&facts.join("; ")).into_owned()]
}

/// The call with named arguments.
fn named(spec: &Spec) -> Option<String> {
    let given: Vec<_> = shown(spec).map(|param| format!("{}: {}", param.name, sample(param))).collect();
    (!given.is_empty()).then(|| format!("{}(#{{{}}})", spec.name, given.join(", ")))
}

/// The call in command style; a function can not be written there, and a secret should not.
fn command(spec: &Spec) -> Option<String> {
    let possible = shown(spec).all(|param| param.schema.is_some() && !param.secret);
    let words: Vec<_> = shown(spec)
        .map(|param| if param.optional { format!("--{} {}", param.name, sample(param)) } else { sample(param) })
        .collect();
    (possible && !words.is_empty()).then(|| format!("{} {}", spec.name, words.join(" ")))
}

/// The parameters worth an example: those that have to be given, or else the first.
fn shown(spec: &Spec) -> impl Iterator<Item = &Param> {
    let count = spec.required().max(1);
    let mut params: Vec<_> = spec.params.iter().collect();
    params.sort_by_key(|param| param.optional);
    params.into_iter().take(count)
}

/// A value of the kind that the parameter takes.
fn sample(param: &Param) -> String {
    if let Some(value) = param.default.as_ref().filter(|value| !value.is_null()) {
        return json(value);
    }
    match param.schema.as_ref().and_then(|schema| schema.get("type")).and_then(Value::as_str) {
        Some("integer" | "number") => "1".to_owned(),
        Some("boolean") => "true".to_owned(),
        Some("array") => "[…]".to_owned(),
        Some("object") => "#{…}".to_owned(),
        _ if param.schema.is_none() => "|value| …".to_owned(),
        _ => "\"…\"".to_owned(),
    }
}

/// The text as it grows.
struct Page {
    text: String,
    width: Width,
    color: Color,
}

impl Page {
    fn heading(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let text = line(text);
        match self.color {
            Color::On => self.text.push_str(&format!("\x1b[1m{text}\x1b[0m\n")),
            Color::Off => self.text.push_str(&format!("{text}\n")),
        }
    }

    fn paragraph(&mut self, text: &str) {
        self.text.push('\n');
        self.lines(text, 0);
    }

    /// Prose, broken at spaces.
    fn lines(&mut self, text: &str, indent: usize) {
        for line in broken(text, self.width, indent) {
            self.text.push_str(&format!("{}{line}\n", " ".repeat(indent)));
        }
    }

    /// Code, as it is.
    fn verbatim(&mut self, code: &str) {
        for line in code.lines() {
            self.text.push_str(&format!("{}{line}\n", " ".repeat(INDENT)));
        }
    }

    /// Two columns; a row whose left side is too long has its right side below.
    fn rows(&mut self, rows: &[(String, Vec<String>)]) {
        let fitting = rows.iter().map(|(left, _)| columns(left)).filter(|width| *width <= WIDEST_LEFT);
        let left_width = fitting.max().unwrap_or(0);
        let indent = INDENT + left_width + 2;
        for (left, right) in rows {
            let mut right = right.iter().flat_map(|text| broken(text, self.width, indent));
            let padding = (left_width + 2).checked_sub(columns(left));
            let beside = padding.and_then(|padding| right.next().map(|line| format!("{}{line}", " ".repeat(padding))));
            let row = format!("{}{left}{}", " ".repeat(INDENT), beside.unwrap_or_default());
            self.text.push_str(row.trim_end());
            self.text.push('\n');
            for line in right {
                self.text.push_str(&format!("{}{line}\n", " ".repeat(indent)));
            }
        }
    }

    fn finish(mut self) -> String {
        self.text.truncate(self.text.trim_end().len());
        self.text
    }
}

/// The lines of a text, broken to what is left of the width beside `indent`.
fn broken(text: &str, width: Width, indent: usize) -> Vec<String> {
    /// In less room, words would stand one below the other.
    const LEAST: usize = 24;
    match width.less(indent) {
        Width::Columns(room) if usize::from(room) >= LEAST => {
            text.lines().flat_map(|line| wrap(line, usize::from(room))).map(str::to_owned).collect()
        }
        _ => text.lines().map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests;
