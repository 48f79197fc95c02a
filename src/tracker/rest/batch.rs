//! Batches of sealed events.

use axum::{Json, extract::State};

use super::{Tracker, TrackerError, ask::Body};
use crate::tracker::{Appended, Batch, Caller};

pub(super) async fn post(
    State(tracker): State<Tracker>,
    caller: Caller,
    Body(batch): Body<Batch>,
) -> Result<Json<Appended>, TrackerError> {
    tracker.append(&caller, &batch).await.map(Json)
}
