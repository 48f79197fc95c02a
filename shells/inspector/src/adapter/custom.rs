//! Tools that the tree's `inspector.toml` adds.

use std::path::{Component, Path};

use super::{Adapter, Answer, LOOKING, REPORT, Tool, lookup};
use crate::{
    config::{CustomFormat, TreeConfig},
    detect::{Language, Root},
    finding::Kind,
    parse::Format,
};

pub(super) fn adapters(tree: &Path, config: &TreeConfig, adapters: &mut Vec<Adapter>) {
    for custom in &config.tools {
        // Configuration was validated: a command has a program.
        let Some((program, args)) = custom.command.split_first() else { continue };
        let at = custom.directory.clone().unwrap_or_else(|| ".".to_owned());
        let root =
            Root { language: Language::Rust, directory: tree.join(&at), at, why: "inspector.toml adds it".to_owned() };
        let install = custom.install.clone().unwrap_or_else(|| format!("install `{program}`"));
        let path = Path::new(program);
        let tool = if path.components().count() > 1 || path.components().any(|part| part == Component::RootDir) {
            // Relative to the tree, whatever directory the tool runs in.
            let path = tree.join(path);
            if path.is_file() { Tool::Found(path) } else { Tool::Missing(install) }
        } else {
            lookup::in_path(program, &install)
        };
        let format = match custom.format {
            CustomFormat::Sarif => Format::Sarif,
            CustomFormat::Junit => Format::Junit,
            CustomFormat::CargoJson => Format::CargoJson,
            CustomFormat::JsonLines => Format::JsonLines { fields: custom.fields.clone().unwrap_or_default() },
            CustomFormat::Json => Format::Json {
                items: custom.items.clone().map_or_else(|| vec!["*".into()], |items| vec![items]),
                fields: custom.fields.clone().unwrap_or_default(),
            },
        };
        let language = custom.language.clone().unwrap_or_else(|| "any".to_owned());
        let mut adapter = Adapter::new(&root, &custom.name, &language, custom.kind.unwrap_or(Kind::Lint), tool, format);
        adapter.args = args.to_vec();
        adapter.config = Some("inspector.toml".to_owned());
        adapter.timeout = custom.timeout.map_or(LOOKING, |limit| limit.0);
        adapter.fine.clone_from(&custom.fine);
        if args.iter().any(|arg| arg.contains(REPORT)) {
            adapter.answer = Answer::Report;
        } else if custom.stderr {
            adapter.answer = Answer::Err;
        }
        adapters.push(adapter);
    }
}
