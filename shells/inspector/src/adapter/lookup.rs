//! Where a tool is: in the environment that belongs to the tree (a virtual environment, `node_modules`), then in `PATH`.

use std::path::{Path, PathBuf};

use super::Tool;

/// A tool in `PATH`.
#[must_use]
pub fn in_path(name: &str, install: &str) -> Tool {
    which::which(name).map_or_else(|_| Tool::Missing(install.to_owned()), Tool::Found)
}

/// A Python tool: the virtual environment of the directory or of one above it inside the tree, the active one, then `PATH`.
#[must_use]
pub fn python(tree: &Path, directory: &Path, name: &str) -> Tool {
    let own = above(tree, directory).flat_map(|place| [place.join(".venv"), place.join("venv")]);
    let active = std::env::var_os("VIRTUAL_ENV").map(PathBuf::from);
    let found = own.chain(active).map(|environment| environment.join("bin").join(name)).find(|path| is_program(path));
    found.map_or_else(|| in_path(name, &format!("pip install {name}")), Tool::Found)
}

/// A JavaScript tool: `node_modules` of the directory or of one above it inside the tree, then `PATH`.
#[must_use]
pub fn javascript(tree: &Path, directory: &Path, name: &str, package: &str) -> Tool {
    let found =
        above(tree, directory).map(|place| place.join("node_modules/.bin").join(name)).find(|path| is_program(path));
    found.map_or_else(|| in_path(name, &format!("npm install --save-dev {package}")), Tool::Found)
}

fn above<'a>(tree: &'a Path, directory: &'a Path) -> impl Iterator<Item = &'a Path> {
    directory.ancestors().take_while(move |place| place.starts_with(tree))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
