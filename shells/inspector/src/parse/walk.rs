//! Parts of a JSON document, while it is read: only one part is in memory at a time, however large the document is.
//!
//! A path names parts by keys and `*` (each item of a list, each value of a record): `runs.*.results.*`.

use std::{
    fmt,
    io::{BufReader, Read},
};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::Complaint;

/// Calls `f` with each part that one of the paths names, and the number of that path.
///
/// # Errors
/// When the document can not be read to its end; with the place.
pub fn each(from: &mut dyn Read, paths: &[&str], f: &mut dyn FnMut(usize, Value)) -> Result<(), Complaint> {
    let paths: Vec<(usize, Vec<&str>)> =
        paths.iter().enumerate().map(|(number, path)| (number, path.split('.').collect())).collect();
    let paths: Vec<Path<'_>> = paths.iter().map(|(number, path)| (*number, path.as_slice())).collect();
    let mut document = serde_json::Deserializer::from_reader(BufReader::with_capacity(64 * 1024, from));
    let complain = |error: serde_json::Error| Complaint(error.to_string());
    Walk { paths, f }.deserialize(&mut document).map_err(complain)?;
    document.end().map_err(complain)
}

type Path<'p> = (usize, &'p [&'p str]);

struct Walk<'p, 'f> {
    paths: Vec<Path<'p>>,
    f: &'f mut dyn FnMut(usize, Value),
}

impl<'p> Walk<'p, '_> {
    fn below(&self, key: &str) -> Vec<Path<'p>> {
        let steps = self.paths.iter().filter_map(|(number, path)| Some((*number, path.split_first()?)));
        steps
            .filter(|(_, (step, _))| **step == "*" || **step == key)
            .map(|(number, (_, rest))| (number, rest))
            .collect()
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        match self.paths.iter().find(|(_, path)| path.is_empty()) {
            Some((number, _)) => {
                let part = <Value as serde::Deserialize>::deserialize(from)?;
                (self.f)(*number, part);
                Ok(())
            }
            None => from.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let paths = self.below(&key);
            if paths.is_empty() {
                map.next_value::<IgnoredAny>()?;
            } else {
                map.next_value_seed(Walk { paths, f: &mut *self.f })?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let paths = self.below("*");
        loop {
            let more = if paths.is_empty() {
                list.next_element::<IgnoredAny>()?.is_some()
            } else {
                list.next_element_seed(Walk { paths: paths.clone(), f: &mut *self.f })?.is_some()
            };
            if !more {
                return Ok(());
            }
        }
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
