-- What a tracker keeps beside the record.

-- Who may write a stream that is received: the subject of the first token that brought an event of it.
CREATE TABLE writers (
    stream TEXT PRIMARY KEY,
    writer TEXT NOT NULL
) WITHOUT ROWID, STRICT;

-- Sums over the record that are carried on instead of made anew: everything up to `position` is in `body`. Whoever
-- carries one on says from which position, so that two trackers never add the same events.
CREATE TABLE folds (
    name TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    body TEXT NOT NULL
) WITHOUT ROWID, STRICT;

-- Starts, ends and observations, without the commands between them.
CREATE INDEX events_milestones ON events (position) WHERE type IN ('session_start', 'session_end', 'observation');
