//! What a tree is made of: the directories that have a manifest, and the language that each speaks.
//!
//! Of one language only the topmost directory counts, since its tools look at everything below; a Rust directory below a
//! package that is no workspace, or with a workspace of its own, is a tree of its own. What `.gitignore` hides, hidden
//! directories, and environments that tools install are not looked at.

use std::path::{Path, PathBuf};

use crate::config::TreeConfig;

/// Deeper manifests belong to somebody else.
const DEPTH: usize = 6;
/// A tree of more entries than this is not one that somebody works on.
const ENTRIES: usize = 200_000;

const PYTHON: [&str; 4] = ["pyproject.toml", "setup.cfg", "setup.py", "requirements.txt"];

/// A language that the inspector knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// Rust.
    Rust,
    /// Python.
    Python,
    /// JavaScript and TypeScript.
    JavaScript,
}

/// A directory that tools of a language run in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The language.
    pub language: Language,
    /// The directory.
    pub directory: PathBuf,
    /// The same as seen from the tree.
    pub at: String,
    /// Why: the manifest.
    pub why: String,
}

/// The manifest of a language, when this is the name of one.
fn language(name: &str) -> Option<Language> {
    match name {
        "Cargo.toml" => Some(Language::Rust),
        "package.json" => Some(Language::JavaScript),
        _ => PYTHON.contains(&name).then_some(Language::Python),
    }
}

/// The tree that somebody means who stands in a directory: the directory itself when there is a manifest in it or below,
/// else the nearest one above that has a manifest.
#[must_use]
pub fn tree_of(directory: &Path) -> PathBuf {
    let has_any = |place: &Path| {
        place.join("inspector.toml").is_file()
            || ["Cargo.toml", "package.json"].iter().chain(&PYTHON).any(|name| place.join(name).is_file())
    };
    if has_any(directory) || !roots(directory, &TreeConfig::default()).is_empty() {
        return directory.to_owned();
    }
    directory.ancestors().skip(1).find(|place| has_any(place)).unwrap_or(directory).to_owned()
}

/// Every root of a tree, by language and directory.
#[must_use]
pub fn roots(tree: &Path, config: &TreeConfig) -> Vec<Root> {
    let excluded: Vec<PathBuf> = config.exclude.iter().map(|path| tree.join(path)).collect();
    let walk = ignore::WalkBuilder::new(tree)
        .max_depth(Some(DEPTH))
        .filter_entry(move |entry| {
            let name = entry.file_name().to_str().unwrap_or_default();
            let is_foreign =
                ["node_modules", "venv", "target", "dist", "build", "__pycache__", "vendor"].contains(&name);
            let is_excluded = excluded.iter().any(|path| entry.path() == path);
            let is_directory = entry.file_type().is_some_and(|kind| kind.is_dir());
            !(is_excluded || is_foreign && is_directory)
        })
        .build();
    let mut manifests: Vec<(Language, PathBuf, String)> = walk
        .flatten()
        .take(ENTRIES)
        .filter_map(|entry| {
            let name = entry.file_name().to_str()?;
            Some((language(name)?, entry.path().parent()?.to_owned(), name.to_owned()))
        })
        .collect();
    // The shallowest first: it decides about those below.
    manifests.sort_by(|a, b| (a.1.components().count(), &a.0, &a.1).cmp(&(b.1.components().count(), &b.0, &b.1)));
    let mut roots: Vec<Root> = Vec::new();
    for (language, directory, name) in manifests {
        let above = roots.iter().filter(|root| root.language == language && directory.starts_with(&root.directory));
        let covered = match language {
            Language::Rust => {
                let own = is_workspace(&directory);
                above.into_iter().any(|root| root.directory == directory || (!own && is_workspace(&root.directory)))
            }
            Language::Python | Language::JavaScript => above.count() > 0,
        };
        if !covered {
            let inside = directory.strip_prefix(tree).unwrap_or(&directory).to_string_lossy().into_owned();
            let at = if inside.is_empty() { ".".to_owned() } else { inside };
            roots.push(Root { language, directory, at, why: format!("{name} is there") });
        }
    }
    roots.sort_by(|a, b| (a.language, &a.at).cmp(&(b.language, &b.at)));
    roots
}

fn is_workspace(directory: &Path) -> bool {
    let manifest = crate::source::read_bounded(&directory.join("Cargo.toml")).unwrap_or_default();
    manifest.lines().any(|line| line.trim().starts_with("[workspace"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_languages_and_what_covers_what() {
        let place = tempfile::tempdir().unwrap();
        let file = |path: &str, text: &str| {
            let path = place.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        file("Cargo.toml", "[workspace]\nmembers = [\"a\"]");
        file("a/Cargo.toml", "[package]");
        file("other/Cargo.toml", "[package]\n[workspace]");
        file("web/package.json", "{}");
        file("web/sub/package.json", "{}");
        file("web/node_modules/x/package.json", "{}");
        file("tools/requirements.txt", "");
        file("planted/pyproject.toml", "");
        let config = TreeConfig { exclude: vec!["planted".into()], ..TreeConfig::default() };
        let found: Vec<_> = roots(place.path(), &config).into_iter().map(|root| (root.language, root.at)).collect();
        let expected = [
            (Language::Rust, "."),
            (Language::Rust, "other"),
            (Language::Python, "tools"),
            (Language::JavaScript, "web"),
        ];
        assert_eq!(found, expected.map(|(language, at)| (language, at.to_owned())));
        std::fs::create_dir_all(place.path().join("a/src")).unwrap();
        assert_eq!(tree_of(&place.path().join("a/src")), place.path().join("a"));
    }
}
