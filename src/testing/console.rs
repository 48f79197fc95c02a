//! A console for tests: writes down what it shows, and answers as the test told it to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::console::{Console, Question};

/// What the test answers, and what it was asked.
#[derive(Default)]
pub(super) struct Answers {
    pub(super) reason: Option<String>,
    pub(super) secret: Option<String>,
    pub(super) asked: Vec<Question>,
}

/// What one command showed.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    pub(super) printed: String,
    pub(super) progress: Vec<(String, Option<f64>)>,
}

pub(super) struct TestConsole {
    answers: Arc<Mutex<Answers>>,
    heard: Arc<Mutex<Heard>>,
}

impl TestConsole {
    pub(super) fn new(answers: &Arc<Mutex<Answers>>) -> Self {
        Self { answers: Arc::clone(answers), heard: Arc::default() }
    }

    pub(super) fn heard(&self) -> Arc<Mutex<Heard>> {
        Arc::clone(&self.heard)
    }
}

impl Console for TestConsole {
    fn print(&mut self, text: &str) {
        locked(&self.heard).printed.push_str(text);
    }

    fn ask(&mut self, question: &Question) -> Option<String> {
        let mut answers = locked(&self.answers);
        answers.asked.push(question.clone());
        answers.reason.clone()
    }

    fn secret(&mut self, _: &str) -> Option<String> {
        locked(&self.answers).secret.clone()
    }

    fn progress(&mut self, label: &str, part: Option<f64>) {
        locked(&self.heard).progress.push((label.to_owned(), part));
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
