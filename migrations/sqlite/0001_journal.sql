-- The journal's first schema. Never edited once it has landed: a change is a new file.
--
-- Two halves. What was said: `events` and what guards it. What follows from it: the projection (`sessions`, `commands`,
-- `observations`, `rollups`, the counters in `streams`), which a rebuild makes anew. Presence, receipts, cursors and
-- conflicts belong to neither: they are facts of their own and a rebuild leaves them alone.
--
-- Times are microseconds since 1970: `…_us` by the writer's clock, `recorded_us` and `heard_us` by ours.

-- One row about the journal itself.
CREATE TABLE journal (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    journal_id TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    -- Streams ever opened: `streams.id` runs from 1 to this without a hole, so a removed one is noticed.
    streams INTEGER NOT NULL DEFAULT 0,
    -- Everything up to this position was folded away by pruning; `checkpoint_link` is the link there.
    checkpoint INTEGER NOT NULL DEFAULT 0,
    checkpoint_link BLOB,
    -- Commands up to this position are in `command_text`; the rest is searched row by row until it is indexed.
    text_position INTEGER NOT NULL DEFAULT 0
);

-- One row a chain: a session's, or a journal's own. Narrow, because every commit rewrites it. Rows outlive pruning, so
-- that an event delivered twice is known as a duplicate for ever.
CREATE TABLE streams (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    component TEXT NOT NULL,
    -- 1 when the processes of this journal write it, 0 when it is received.
    own INTEGER NOT NULL,
    -- 1 when its session was pruned: it is in no list any more, and nothing can be added to it.
    pruned INTEGER NOT NULL DEFAULT 0,
    -- Events before `base` are folded away; `base_hash` is the hash of the last of them.
    base INTEGER NOT NULL DEFAULT 0,
    base_hash BLOB,
    next_seq INTEGER NOT NULL,
    head_hash BLOB,
    head_position INTEGER NOT NULL,
    heard_us INTEGER NOT NULL,
    last_us INTEGER NOT NULL,
    commands INTEGER NOT NULL DEFAULT 0,
    outcomes INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    writes INTEGER NOT NULL DEFAULT 0,
    destroys INTEGER NOT NULL DEFAULT 0,
    -- The command that runs, and the position of its start: its end finds its row without an index.
    running INTEGER,
    running_position INTEGER
);

-- The events. The row number is the position; `link` chains positions: SHA-256(link before, position, event_id, hash).
-- `text` is the canonical form, verbatim; null when pruned or scrubbed. `residue` is what a scrubbed event leaves for
-- the projection: numbers and words of the vocabulary, nothing that was typed.
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    event_id BLOB NOT NULL,
    stream INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    time_us INTEGER NOT NULL,
    recorded_us INTEGER NOT NULL,
    hash BLOB NOT NULL,
    link BLOB NOT NULL,
    residue TEXT,
    text TEXT
);
CREATE UNIQUE INDEX events_by_id ON events (event_id);
CREATE UNIQUE INDEX events_by_seq ON events (stream, seq);
CREATE INDEX events_without_text ON events (position) WHERE text IS NULL;

-- The sessions, as lists show them. Rewritten at a session's start and end only, so it can afford its indexes.
CREATE TABLE sessions (
    stream INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL UNIQUE,
    component TEXT NOT NULL,
    -- The place in lists: its start, or its first event when the start was never seen.
    order_us INTEGER NOT NULL,
    start_us INTEGER,
    end_us INTEGER,
    duration_us INTEGER,
    -- Which of the ranges of durations it is in: four to a doubling. Null while it is open.
    duration_class INTEGER,
    -- open, ended or crashed; `stale` and `lost` are computed from presence when read.
    status TEXT NOT NULL,
    end_reason TEXT,
    -- 1 when its owner said that it ended.
    own_end INTEGER NOT NULL DEFAULT 0,
    inferred INTEGER NOT NULL DEFAULT 0,
    component_type TEXT,
    component_version TEXT,
    shell_type TEXT,
    mode TEXT,
    pid INTEGER,
    username TEXT,
    home TEXT,
    uid INTEGER,
    actor_kind TEXT,
    verified INTEGER,
    hostname TEXT,
    platform TEXT,
    runtime TEXT,
    python_version TEXT,
    working_directory TEXT,
    reason TEXT,
    metadata TEXT
);
-- One index a filter, each ordered as lists are.
CREATE INDEX sessions_by_start ON sessions (order_us, session_id);
CREATE INDEX sessions_by_component ON sessions (component, order_us, session_id);
CREATE INDEX sessions_by_user ON sessions (username, order_us, session_id);
CREATE INDEX sessions_by_host ON sessions (hostname, order_us, session_id);
CREATE INDEX sessions_by_type ON sessions (component_type, order_us, session_id);
CREATE INDEX sessions_by_status ON sessions (status, order_us, session_id);
CREATE INDEX sessions_by_duration ON sessions (duration_class, order_us, session_id, duration_us);
CREATE INDEX sessions_without_own_end ON sessions (order_us, session_id) WHERE own_end = 0;

-- The commands. The row number is the position of `command_start`: newest first is the table's own order.
CREATE TABLE commands (
    position INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL,
    command INTEGER NOT NULL,
    start_us INTEGER NOT NULL,
    input TEXT,
    status TEXT,
    duration_us INTEGER,
    error TEXT
);
CREATE INDEX commands_failed ON commands (position) WHERE status IS NOT NULL AND status <> 'ok';

-- Finds any part of an input that is three characters long or longer. Filled behind the commits, see `text_position`.
CREATE VIRTUAL TABLE command_text USING fts5(
    input, content='commands', content_rowid='position', tokenize='trigram', detail='none', columnsize=0
);

-- What others said about sessions, by the session.
CREATE TABLE observations (
    position INTEGER PRIMARY KEY,
    about TEXT NOT NULL,
    what TEXT NOT NULL,
    time_us INTEGER NOT NULL
);
CREATE INDEX observations_by_session ON observations (about, position);

-- Totals per day (of the session's start, UTC, days since 1970) and component, kept by the difference that each event
-- makes to its session. What an open session has done is in `streams` and is added when it ends: a command's commit does
-- not touch this. A pruned session stays in them.
CREATE TABLE rollups (
    day INTEGER NOT NULL,
    component TEXT NOT NULL,
    sessions INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    inferred INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    commands INTEGER NOT NULL,
    outcomes INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    writes INTEGER NOT NULL,
    destroys INTEGER NOT NULL,
    PRIMARY KEY (day, component)
) WITHOUT ROWID;

-- The part of the rollups that pruned sessions made. A rebuild starts from it.
CREATE TABLE rollups_base (
    day INTEGER NOT NULL,
    component TEXT NOT NULL,
    sessions INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    inferred INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    commands INTEGER NOT NULL,
    outcomes INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    writes INTEGER NOT NULL,
    destroys INTEGER NOT NULL,
    PRIMARY KEY (day, component)
) WITHOUT ROWID;

-- Events that contradict what is stored: kept aside, verbatim, once each.
CREATE TABLE conflicts (
    hash BLOB PRIMARY KEY,
    event_id BLOB NOT NULL,
    stream TEXT NOT NULL,
    seq INTEGER NOT NULL,
    recorded_us INTEGER NOT NULL,
    reason TEXT NOT NULL,
    text TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX conflicts_by_stream ON conflicts (stream, seq);

-- Who was heard from when, live. No part of the record.
CREATE TABLE presence (
    session_id TEXT PRIMARY KEY,
    component TEXT NOT NULL,
    heard_us INTEGER NOT NULL,
    lease_us INTEGER NOT NULL,
    detail TEXT
) WITHOUT ROWID;
CREATE INDEX presence_by_time ON presence (heard_us);

-- How far each sink has got, for each component it takes.
CREATE TABLE cursors (
    sink TEXT NOT NULL,
    component TEXT NOT NULL,
    position INTEGER NOT NULL,
    changed_us INTEGER NOT NULL,
    PRIMARY KEY (sink, component)
) WITHOUT ROWID;

-- A tracker's word that it holds our events up to a position: the journal's anchor outside itself.
CREATE TABLE receipts (
    tracker TEXT NOT NULL,
    position INTEGER NOT NULL,
    link BLOB NOT NULL,
    tracker_position INTEGER,
    tracker_link TEXT,
    received_us INTEGER NOT NULL,
    PRIMARY KEY (tracker, position)
) WITHOUT ROWID;

-- Events that a sink refused: kept, counted as undelivered, and tried again when asked to.
CREATE TABLE buried (
    sink TEXT NOT NULL,
    position INTEGER NOT NULL,
    event_id BLOB NOT NULL,
    reason TEXT NOT NULL,
    buried_us INTEGER NOT NULL,
    PRIMARY KEY (sink, position)
) WITHOUT ROWID;
