//! Aligned tables, as `ps` and `docker ps` print them: a header, two spaces between columns, one line a record.
//!
//! What does not fit gives way in this order, so that what people copy (ids, numbers) stays whole the longest:
//!
//! 1. prose is cut with `…`,
//! 2. then every text but ids,
//! 3. then columns are left out from the right, and a last line names them.
//!
//! Columns are measured in full before the first line is written: a table whose columns move in the middle can not be
//! read. Not comfy-table: what gives way, and what is left out, is ours to decide, and then it would only pad cells, at a
//! copy of every one.

use std::{borrow::Cow, collections::HashSet};

use serde_json::{Map, Value};

use super::{
    Width, json,
    text::{columns, cut, line},
};

/// Spaces between two columns.
const GAP: usize = 2;
/// Records whose fields all differ must not grow a table without end.
const MOST_COLUMNS: usize = 100;

/// Rows of values under column names, fitted to `width`; without a newline at the end.
///
/// Numbers stand right, null is an empty cell, what is nested is JSON. A row may be shorter than the header.
///
/// ```
/// use admin_shell::render::{Width, table};
/// use serde_json::json;
///
/// let rows = [vec![json!("first"), json!(5)], vec![json!("second"), json!(120)]];
/// assert_eq!(table(&["name", "runs"], &rows, Width::Unlimited), "NAME    RUNS\nfirst      5\nsecond   120");
/// ```
#[must_use]
pub fn table(names: &[&str], rows: &[Vec<Value>], width: Width) -> String {
    let mut table = Table::new(names);
    for row in rows {
        table.push(row.iter().map(Some));
    }
    table.render(width)
}

/// The records as a table: columns in the order of the first record's fields, then fields that come up later.
pub(super) fn records<'a>(records: impl Iterator<Item = &'a Map<String, Value>> + Clone, width: Width) -> String {
    let (mut names, mut seen) = (Vec::new(), HashSet::new());
    for record in records.clone() {
        for (at, name) in record.keys().map(String::as_str).enumerate() {
            // Nearly always each record has the fields of the first one, at the same places.
            if names.get(at) != Some(&name) && seen.insert(name) {
                names.push(name);
            }
        }
    }
    let mut table = Table::new(&names);
    for record in records {
        table.push(names.iter().map(|name| record.get(*name)));
    }
    table.render(width)
}

struct Table<'a> {
    columns: Vec<Column<'a>>,
    /// Row by row, `columns.len()` in each.
    cells: Vec<Cell<'a>>,
    /// Columns past [`MOST_COLUMNS`].
    surplus: Vec<&'a str>,
}

struct Column<'a> {
    name: Cow<'a, str>,
    heading: String,
    /// Of the widest cell or the heading.
    width: usize,
    shape: Shape,
}

/// What a column holds; the later, the sooner it is cut.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    /// Nothing but nulls, so far.
    Empty,
    Numbers,
    /// A time that is cut is another one.
    Times,
    Words,
    Prose,
}

struct Cell<'a> {
    text: Cow<'a, str>,
    width: usize,
}

impl<'a> Table<'a> {
    fn new(names: &[&'a str]) -> Self {
        let (names, surplus) = names.split_at(names.len().min(MOST_COLUMNS));
        let columns = names.iter().map(|name| Column::new(name)).collect();
        Self { columns, cells: Vec::new(), surplus: surplus.to_vec() }
    }

    fn push(&mut self, values: impl Iterator<Item = Option<&'a Value>>) {
        let mut values = values.map(Option::unwrap_or_default);
        for column in &mut self.columns {
            let value = values.next().unwrap_or(&Value::Null);
            let cell = Cell::new(value);
            column.width = column.width.max(cell.width);
            column.shape = column.shape.max(Shape::of(value, &cell));
            self.cells.push(cell);
        }
    }

    fn render(&self, width: Width) -> String {
        let widths = match width {
            Width::Unlimited => self.columns.iter().map(|column| column.width).collect(),
            Width::Columns(limit) => fit(&self.columns, usize::from(limit)),
        };
        let columns = &self.columns[..widths.len()];
        let mut out = Lines::with_capacity(&widths, self.cells.len() / self.columns.len().max(1));
        for (column, width) in columns.iter().zip(&widths) {
            out.cell(&column.heading, super::text::columns(&column.heading), *width, column.shape);
        }
        out.end_line();
        for row in self.cells.chunks(self.columns.len().max(1)) {
            for ((column, width), cell) in columns.iter().zip(&widths).zip(row) {
                out.cell(&cell.text, cell.width, *width, column.shape);
            }
            out.end_line();
        }
        let left_out = self.columns[widths.len()..].iter().map(|column| column.name.as_ref());
        let left_out: Vec<_> = left_out.chain(self.surplus.iter().copied()).collect();
        if !left_out.is_empty() {
            out.0.push_str(&note(&left_out, width));
        }
        out.finish()
    }
}

impl<'a> Column<'a> {
    fn new(name: &'a str) -> Self {
        let name = line(name);
        // Capitals set the header apart without colour; a name that has some already would become another name.
        let heading = if name.chars().any(char::is_uppercase) { name.to_string() } else { name.to_uppercase() };
        Self { width: columns(&heading), name, heading, shape: Shape::Empty }
    }

    /// How narrow the column may become when `shape` and everything after it gives way.
    fn least(&self, gives: Shape) -> usize {
        /// A cut word of this length can still be told from another.
        const WORD: usize = 12;
        /// Longer ones are not typed or copied by anybody.
        const ID: usize = 40;
        let is_id = self.name == "id" || self.name.ends_with("_id");
        let least = match self.shape {
            shape if shape < gives || shape <= Shape::Times => self.width,
            Shape::Words if is_id => ID,
            _ => columns(&self.heading).max(WORD),
        };
        least.min(self.width)
    }
}

impl Shape {
    fn of(value: &Value, cell: &Cell<'_>) -> Self {
        /// A cell without a space may be a sentence in Chinese, or JSON.
        const LONG: usize = 40;
        match value {
            Value::Null => Self::Empty,
            Value::Number(_) => Self::Numbers,
            Value::String(text) if to_the_second(text).is_some() => Self::Times,
            _ if cell.width > LONG || cell.text.contains(' ') => Self::Prose,
            _ => Self::Words,
        }
    }
}

impl<'a> Cell<'a> {
    fn new(value: &'a Value) -> Self {
        let text = match value {
            Value::Null => Cow::Borrowed(""),
            Value::Bool(true) => Cow::Borrowed("true"),
            Value::Bool(false) => Cow::Borrowed("false"),
            Value::Number(number) => Cow::Owned(number.to_string()),
            Value::String(text) => to_the_second(text).unwrap_or_else(|| line(text)),
            nested => Cow::Owned(json(nested)),
        };
        Self { width: columns(&text), text }
    }
}

/// A time in UTC as a table shows it, without fractions: what differs in microseconds is told apart in a single record.
fn to_the_second(text: &str) -> Option<Cow<'_, str>> {
    const FORM: &[u8] = b"0000-00-00T00:00:00";
    let (whole, rest) = (text.get(..FORM.len())?, text.get(FORM.len()..)?.strip_suffix('Z')?);
    let is_time =
        whole.bytes().zip(FORM).all(|(byte, form)| if *form == b'0' { byte.is_ascii_digit() } else { byte == *form });
    match rest.strip_prefix('.') {
        _ if !is_time => None,
        None if rest.is_empty() => Some(Cow::Borrowed(text)),
        Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(Cow::Owned(format!("{whole}Z")))
        }
        _ => None,
    }
}

/// The widths of as many columns as fit into `limit`, from the left; of one at least.
fn fit(columns: &[Column<'_>], limit: usize) -> Vec<usize> {
    let mut count = columns.len();
    while count > 1 {
        for gives in [Shape::Prose, Shape::Words] {
            if let Some(widths) = squeeze(&columns[..count], gives, limit) {
                return widths;
            }
        }
        count -= 1;
    }
    columns.first().map(|column| column.width.min(limit.max(1))).into_iter().collect()
}

/// Cuts the widest columns first, to one common width; `None` when that does not save enough.
fn squeeze(columns: &[Column<'_>], gives: Shape, limit: usize) -> Option<Vec<usize>> {
    let room = limit.checked_sub(GAP * (columns.len() - 1))?;
    let least: Vec<usize> = columns.iter().map(|column| column.least(gives)).collect();
    let at = |cap: usize| columns.iter().zip(&least).map(move |(column, least)| column.width.min(cap.max(*least)));
    if at(0).sum::<usize>() > room {
        return None;
    }
    let widest = columns.iter().map(|column| column.width).max().unwrap_or(0);
    // The widest cap that still fits: everything below it fits too.
    let (mut fits, mut bursts) = (0, widest + 1);
    while fits + 1 < bursts {
        let middle = usize::midpoint(fits, bursts);
        if at(middle).sum::<usize>() <= room { fits = middle } else { bursts = middle }
    }
    let mut widths: Vec<usize> = at(fits).collect();
    let mut spare = room - widths.iter().sum::<usize>();
    for (width, column) in widths.iter_mut().zip(columns) {
        if spare > 0 && *width >= fits && *width < column.width {
            *width += 1;
            spare -= 1;
        }
    }
    Some(widths)
}

/// The last line: what is missing, and how to see it.
fn note(left_out: &[&str], width: Width) -> String {
    let names: Vec<_> = left_out.iter().take(MOST_COLUMNS).map(|name| line(name)).collect();
    let plural = if left_out.len() == 1 { "" } else { "s" };
    let what = format!("… and {} more column{plural}: {}", left_out.len(), names.join(", "));
    let hinted = format!("{what} (a wider terminal or a single record shows more)");
    match width {
        Width::Columns(limit) if columns(&hinted) > usize::from(limit) => cut(&what, usize::from(limit)).into_owned(),
        _ => hinted,
    }
}

/// The table as it grows, line by line, without blanks at the ends of lines.
struct Lines(String);

impl Lines {
    fn with_capacity(widths: &[usize], rows: usize) -> Self {
        let row = widths.iter().map(|width| width + GAP).sum::<usize>();
        // A hint only: one cell of a megabyte must not reserve a megabyte for every row.
        Self(String::with_capacity(row.saturating_mul(rows + 1).min(64 * 1024 * 1024)))
    }

    fn cell(&mut self, text: &str, text_width: usize, width: usize, shape: Shape) {
        let text = if text_width > width { cut(text, width) } else { Cow::Borrowed(text) };
        let padding = width.saturating_sub(if text_width > width { columns(&text) } else { text_width });
        let (before, after) = if shape == Shape::Numbers { (padding, 0) } else { (0, padding) };
        self.blanks(before);
        self.0.push_str(&text);
        self.blanks(after + GAP);
    }

    fn blanks(&mut self, count: usize) {
        self.0.extend(std::iter::repeat_n(' ', count));
    }

    fn end_line(&mut self) {
        let end = self.0.trim_end_matches(' ').len();
        self.0.truncate(end);
        self.0.push('\n');
    }

    fn finish(mut self) -> String {
        if self.0.ends_with('\n') {
            self.0.pop();
        }
        self.0
    }
}
