//! A registered helper bound to its component: what the door decodes, previews and runs.

use std::{collections::HashMap, future::Future, pin::Pin, sync::Arc};

use serde_json::Value;

use super::{CallCx, Cx, HelperError, Output, Slots};
use crate::{policy::Approved, spec::Spec};

pub(crate) type OutputFuture = Pin<Box<dyn Future<Output = anyhow::Result<Output>> + Send>>;
pub(super) type ValuesFuture = Pin<Box<dyn Future<Output = anyhow::Result<Vec<Value>>> + Send>>;
pub(super) type Run<S> = Box<dyn FnOnce(Cx<S>, Option<Approved>) -> OutputFuture + Send>;
pub(super) type Decode<S> = Arc<dyn Fn(&Spec, Slots) -> Result<Run<S>, HelperError> + Send + Sync>;
pub(super) type Values<S> = Arc<dyn Fn(Cx<S>, String) -> ValuesFuture + Send + Sync>;

/// What the registrar makes of one helper.
pub(crate) struct Entry<S> {
    pub(super) spec: Arc<Spec>,
    pub(super) decode: Decode<S>,
    pub(super) preview: Option<Decode<S>>,
    pub(super) values: HashMap<usize, Values<S>>,
}

/// A call whose arguments are decoded: it can only be run or dropped.
pub(crate) struct Prepared(Box<dyn FnOnce(CallCx, Option<Approved>) -> OutputFuture + Send>);

impl Prepared {
    pub(crate) fn start(self, cx: CallCx, approved: Option<Approved>) -> OutputFuture {
        (self.0)(cx, approved)
    }
}

/// A helper, whatever component it belongs to.
pub(crate) trait Callable: Send + Sync {
    fn spec(&self) -> &Arc<Spec>;
    fn prepare(&self, slots: Slots) -> Result<Prepared, HelperError>;
    /// The same for its preview; `None` when it has none.
    fn prepare_preview(&self, slots: Slots) -> Option<Result<Prepared, HelperError>>;
    /// Completion candidates of one parameter.
    fn values(&self, param: usize, prefix: String, cx: CallCx) -> Option<ValuesFuture>;
}

struct Bound<S> {
    entry: Arc<Entry<S>>,
    shell: Arc<S>,
}

pub(crate) fn bind<S: Send + Sync + 'static>(entry: Arc<Entry<S>>, shell: &Arc<S>) -> Arc<dyn Callable> {
    Arc::new(Bound { entry, shell: Arc::clone(shell) })
}

impl<S: Send + Sync + 'static> Bound<S> {
    fn prepared(&self, decode: &Decode<S>, slots: Slots) -> Result<Prepared, HelperError> {
        let run = decode(&self.entry.spec, slots)?;
        let shell = Arc::clone(&self.shell);
        Ok(Prepared(Box::new(move |cx, approved| run(Cx::new(shell, cx), approved))))
    }
}

impl<S: Send + Sync + 'static> Callable for Bound<S> {
    fn spec(&self) -> &Arc<Spec> {
        &self.entry.spec
    }

    fn prepare(&self, slots: Slots) -> Result<Prepared, HelperError> {
        self.prepared(&self.entry.decode, slots)
    }

    fn prepare_preview(&self, slots: Slots) -> Option<Result<Prepared, HelperError>> {
        self.entry.preview.as_ref().map(|preview| self.prepared(preview, slots))
    }

    fn values(&self, param: usize, prefix: String, cx: CallCx) -> Option<ValuesFuture> {
        self.entry.values.get(&param).map(|values| values(Cx::new(Arc::clone(&self.shell), cx), prefix))
    }
}
