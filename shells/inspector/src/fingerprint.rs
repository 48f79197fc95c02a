//! What makes a finding the same finding in another run: the tool, the rule, the file, the message without its numbers, and
//! the text of the line. Not the line's number: an edit above must not make it new. Of several that are equal, the first,
//! the second and so on are told apart.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{finding::Finding, source};

/// Fingerprints of one adapter's findings, in the order in which they come.
pub(crate) struct Fingerprints {
    tree: PathBuf,
    tool: String,
    /// The file that was asked for last: findings of one file mostly come together.
    file: Option<(String, Vec<String>)>,
    seen: HashMap<[u8; 8], u32>,
}

impl Fingerprints {
    pub(crate) fn new(tree: &Path, tool: &str) -> Self {
        Self { tree: tree.to_owned(), tool: tool.to_owned(), file: None, seen: HashMap::new() }
    }

    pub(crate) fn of(&mut self, finding: &Finding) -> String {
        let mut hash = Sha256::new();
        let file = finding.file.as_deref().unwrap_or_default();
        let text = finding.line.map(|line| self.line(file, line)).unwrap_or_default();
        let message: String = finding
            .message
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .map(|c| if c.is_ascii_digit() { '#' } else { c })
            .collect();
        for part in [&self.tool, finding.rule.as_deref().unwrap_or_default(), file, &message, text.trim()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let mut key = [0; 8];
        key.copy_from_slice(&digest[..8]);
        let place = self.seen.entry(key).or_default();
        *place += 1;
        let hex: String = digest[..10].iter().map(|byte| format!("{byte:02x}")).collect();
        if *place == 1 { hex } else { format!("{hex}-{place}") }
    }

    fn line(&mut self, file: &str, line: u32) -> String {
        if self.file.as_ref().is_none_or(|(known, _)| known != file) {
            let path = source::inside(&self.tree, file);
            let lines = path.and_then(|path| source::read_bounded(&path)).unwrap_or_default();
            self.file = Some((file.to_owned(), lines.lines().map(str::to_owned).collect()));
        }
        let at = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
        self.file.as_ref().and_then(|(_, lines)| lines.get(at)).cloned().unwrap_or_default()
    }
}
