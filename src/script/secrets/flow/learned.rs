//! What later inputs have to know about the functions of earlier ones: which of their arguments end as secrets.

use std::collections::{BTreeSet, HashMap, HashSet};

/// What later inputs have to know about the functions of earlier ones.
#[derive(Clone, Debug, Default)]
pub(in crate::script) struct Learned {
    /// Functions of the script: how many arguments they take, and which of these are secret.
    pub(super) params: HashMap<String, (usize, BTreeSet<usize>)>,
    /// Variables that hold functions which take a secret, and functions that take one in a way that has no place.
    pub(super) callables: HashSet<String>,
}

impl Learned {
    /// Takes in what another text taught: its functions take the place of older ones.
    pub(in crate::script) fn update(&mut self, lesson: Lesson) {
        for name in &lesson.defined {
            self.params.remove(name);
            self.callables.remove(name);
        }
        self.params.extend(lesson.learned.params);
        self.callables.extend(lesson.learned.callables);
    }

    pub(in crate::script::secrets) fn knows(&self, name: &str) -> bool {
        self.params.contains_key(name) || self.callables.contains(name)
    }
}

/// What one text teaches.
#[derive(Clone, Debug, Default)]
pub(in crate::script) struct Lesson {
    pub(super) defined: Vec<String>,
    pub(super) learned: Learned,
}
