//! Functions on strings that make much out of little. The language's own allocate first and measure then: one `replace`
//! may ask for more memory than the machine has. These measure first.

use rhai::{Array, Engine, EvalAltResult, ImmutableString, Position};

use super::limits::{LIST_ITEMS, STRING_BYTES};

type Failed = Box<EvalAltResult>;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("replace", |text: &mut ImmutableString, find: ImmutableString, with: ImmutableString| {
        replace(text, &find, &with)
    });
    engine.register_fn("replace", |text: &mut ImmutableString, find: ImmutableString, with: char| {
        replace(text, &find, with.encode_utf8(&mut [0; 4]))
    });
    engine.register_fn("replace", |text: &mut ImmutableString, find: char, with: ImmutableString| {
        replace(text, find.encode_utf8(&mut [0; 4]), &with)
    });
    engine.register_fn("replace", |text: &mut ImmutableString, find: char, with: char| {
        replace(text, find.encode_utf8(&mut [0; 4]), with.encode_utf8(&mut [0; 4]))
    });

    engine.register_fn("split", |text: &mut ImmutableString| pieces(text.split_whitespace()));
    engine.register_fn("split", |text: &mut ImmutableString, by: ImmutableString| pieces(text.split(by.as_str())));
    engine.register_fn("split", |text: &mut ImmutableString, by: char| pieces(text.split(by)));
    engine.register_fn("split", |text: &mut ImmutableString, by: ImmutableString, most: i64| {
        pieces(text.splitn(count(most), by.as_str()))
    });
    engine.register_fn("split", |text: &mut ImmutableString, by: char, most: i64| pieces(text.splitn(count(most), by)));
    engine.register_fn("split_rev", |text: &mut ImmutableString, by: ImmutableString| pieces(text.rsplit(by.as_str())));
    engine.register_fn("split_rev", |text: &mut ImmutableString, by: char| pieces(text.rsplit(by)));
    engine.register_fn("split_rev", |text: &mut ImmutableString, by: ImmutableString, most: i64| {
        pieces(text.rsplitn(count(most), by.as_str()))
    });
    engine.register_fn("split_rev", |text: &mut ImmutableString, by: char, most: i64| {
        pieces(text.rsplitn(count(most), by))
    });
}

fn replace(text: &mut ImmutableString, find: &str, with: &str) -> Result<(), Failed> {
    let found = text.matches(find).count();
    let bytes =
        text.len().saturating_add(found.saturating_mul(with.len())).saturating_sub(found.saturating_mul(find.len()));
    if bytes > STRING_BYTES {
        return Err(EvalAltResult::ErrorDataTooLarge("Length of string".to_owned(), Position::NONE).into());
    }
    *text = text.replace(find, with).into();
    Ok(())
}

fn pieces<'t>(pieces: impl Iterator<Item = &'t str>) -> Result<Array, Failed> {
    let mut list = Array::new();
    for piece in pieces {
        if list.len() >= LIST_ITEMS {
            return Err(EvalAltResult::ErrorDataTooLarge("Size of array".to_owned(), Position::NONE).into());
        }
        list.push(piece.into());
    }
    Ok(list)
}

/// Fewer than one piece means one, as the language has it.
fn count(most: i64) -> usize {
    usize::try_from(most).unwrap_or(0).max(1)
}
