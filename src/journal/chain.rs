//! The chain over positions, the same in every kind of journal.
//!
//! `link` at a position = SHA-256(link before ‖ position ‖ event_id ‖ hash): 32 bytes, 8 bytes big-endian, 16 bytes, 32
//! bytes. The link before position 1 is the digest of the journal's id, so that two journals never share a link.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::event::{Hash, JournalId};

/// The link before the first position.
pub(super) fn genesis(journal: &JournalId) -> Hash {
    Hash::of(journal.as_str().as_bytes())
}

/// The link at a position.
pub(super) fn link(before: &Hash, position: u64, event_id: &Uuid, hash: &Hash) -> Hash {
    let digest = Sha256::new()
        .chain_update(before.as_bytes())
        .chain_update(position.to_be_bytes())
        .chain_update(event_id.as_bytes())
        .chain_update(hash.as_bytes());
    Hash::from_bytes(digest.finalize().into())
}
