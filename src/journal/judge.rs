//! What becomes of an event that was sealed elsewhere.
//!
//! In this order:
//!
//! | it is | verdict |
//! |---|---|
//! | stored as a stub, with the same hash, and whole now | accepted: it takes the stub's place |
//! | stored, with the same hash | duplicate |
//! | stored under its id with other content | conflict |
//! | of a stream that our own processes write, or of our own stream | rejected |
//! | of a pruned session, and older than its end | duplicate; newer: rejected |
//! | at a place that holds another event | conflict |
//! | the successor of an event that was kept aside as a conflict | conflict |
//! | ahead of the next place: a hole | rejected: sinks deliver in order, so what lies between was lost or buried |
//! | at the next place, not bound to the event before | rejected |
//! | of another component than its stream | rejected |
//! | at the next place and bound to the event before | accepted |
//!
//! A session begins at seq 0. Another journal's own stream may begin later, because pruning folds its beginning away.

use super::{
    Parcel, Verdict,
    loaded::{Known, Loaded},
};
use crate::event::{JournalId, StreamId};

/// A verdict, or what it still depends on.
pub(super) enum Judgement {
    /// This it is.
    Is(Verdict),
    /// A conflict when the event before it was kept aside as one; otherwise this.
    UnlessItFollowsAConflict(Verdict),
}

/// The verdict on an event whose predecessor was kept aside.
pub(super) fn follows_a_conflict() -> Verdict {
    Verdict::Conflict("it follows an event that contradicts what is stored".to_owned())
}

/// Judges an event by what is stored under its id and by its stream.
pub(super) fn judge(event: &Parcel, own: &JournalId, known: Option<&Known>, stream: Option<&Loaded>) -> Judgement {
    Judgement::Is(match (known, stream) {
        (Some(known), _) if known.hash == event.hash() && known.is_stub && matches!(event, Parcel::Whole(_)) => {
            Verdict::Accepted
        }
        (Some(known), _) if known.hash == event.hash() => Verdict::Duplicate,
        (Some(_), _) => Verdict::Conflict("another event is stored under this id".to_owned()),
        (None, _) if matches!(event.stream(), StreamId::Journal(id) if id == own) => {
            Verdict::Rejected("this stream is this journal's own".to_owned())
        }
        (None, None) => first(event),
        (None, Some(stream)) => return at_its_place(event, stream),
    })
}

/// An event of a stream that nobody has heard of.
fn first(event: &Parcel) -> Verdict {
    if event.seq() == 0 || matches!(event.stream(), StreamId::Journal(_)) {
        return Verdict::Accepted;
    }
    Verdict::Rejected(format!("seq {} arrived before seq 0", event.seq()))
}

fn at_its_place(event: &Parcel, stream: &Loaded) -> Judgement {
    let seq = i64::try_from(event.seq()).unwrap_or(i64::MAX);
    let is = Judgement::Is;
    if stream.own {
        return is(Verdict::Rejected("this session is recorded by this journal's own processes".to_owned()));
    }
    if seq < stream.base || (stream.pruned && seq < stream.next_seq) {
        return is(Verdict::Duplicate);
    }
    if stream.pruned {
        return is(Verdict::Rejected("its session was pruned".to_owned()));
    }
    if stream.component != event.component() {
        return is(Verdict::Rejected(format!("its session belongs to component {}", stream.component)));
    }
    if seq < stream.next_seq {
        return is(Verdict::Conflict(format!("another event is stored at seq {seq}")));
    }
    let next = stream.next_seq;
    if seq != next {
        let rejected = Verdict::Rejected(format!("seq {seq} arrived before seq {next}"));
        return Judgement::UnlessItFollowsAConflict(rejected);
    }
    if event.prev() == stream.head_hash {
        return is(Verdict::Accepted);
    }
    let rejected = Verdict::Rejected(format!("`prev` is not the hash of seq {}", next - 1));
    Judgement::UnlessItFollowsAConflict(rejected)
}
