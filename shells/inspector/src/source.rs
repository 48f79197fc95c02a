//! Source files as they lie in the tree: read within bounds, by somebody else's path.

use std::{
    fs::File,
    io::Read,
    path::{Component, Path, PathBuf},
};

/// Larger files are data, not source.
const MOST_BYTES: u64 = 8 << 20;

/// A file's text, within bounds; invalid UTF-8 is replaced.
pub(crate) fn read_bounded(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    // A pipe or a device would be read for ever.
    let is_small = file.metadata().ok().is_some_and(|found| found.is_file() && found.len() <= MOST_BYTES);
    if !is_small {
        return None;
    }
    file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// Where a path that a tool named lies, when it lies inside the tree: links are followed before that is decided.
#[must_use]
pub fn inside(tree: &Path, file: &str) -> Option<PathBuf> {
    let path = tree.join(file).canonicalize().ok()?;
    path.starts_with(tree.canonicalize().ok()?).then_some(path)
}

/// A path as a tool named it, made relative to the tree; what lies outside stays as it was said.
#[must_use]
pub fn relative(tree: &Path, directory: &Path, named: &str) -> String {
    let named = match named.strip_prefix("file://") {
        Some(path) => percent_encoding::percent_decode_str(path).decode_utf8_lossy(),
        None => named.into(),
    };
    let named = &*named;
    let whole = directory.join(named);
    let mut clean = PathBuf::new();
    for part in whole.components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            part => clean.push(part),
        }
    }
    clean.strip_prefix(tree).map_or_else(|_| named.to_owned(), |inside| inside.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_tree() {
        let (tree, directory) = (Path::new("/tree"), Path::new("/tree/sub"));
        for (named, expected) in [
            ("a.py", "sub/a.py"),
            ("./a.py", "sub/a.py"),
            ("../b.rs", "b.rs"),
            ("/tree/c.rs", "c.rs"),
            ("file:///tree/d%20e.py", "d e.py"),
            ("../../etc/passwd", "../../etc/passwd"),
            ("/etc/passwd", "/etc/passwd"),
            ("a\nb.py", "sub/a\nb.py"),
        ] {
            assert_eq!(relative(tree, directory, named), expected, "{named}");
        }
    }

    #[test]
    fn outside_is_outside() {
        let place = tempfile::tempdir().unwrap();
        let tree = place.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        std::fs::write(place.path().join("secret"), "x").unwrap();
        std::fs::write(tree.join("a.rs"), "x").unwrap();
        std::os::unix::fs::symlink(place.path().join("secret"), tree.join("link")).unwrap();
        assert!(inside(&tree, "a.rs").is_some());
        for file in ["../secret", "link", "/etc/passwd", "none"] {
            assert_eq!(inside(&tree, file), None, "{file}");
        }
    }
}
