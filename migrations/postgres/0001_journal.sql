-- The journal's first schema in Postgres. Never edited once it has landed: a change is a new file.
--
-- The same tables, columns and meanings as in SQLite (migrations/sqlite), so that the same statements read both. What
-- differs is what Postgres needs:
--
-- - Numbers and truths (0 and 1) are BIGINT, texts are compared byte by byte (COLLATE "C"): lists and prefixes have the
--   same order everywhere, whatever the database's locale.
-- - Events keep their canonical form as TEXT, never as JSONB, which would not give back the bytes that were hashed.
-- - Positions are not a sequence: a sequence's numbers are taken before the commit and become visible in another order.
--   They are given out under one lock, as the last position + 1, so nobody who follows positions misses an event.
-- - Texts can not hold NUL. Canonical forms escape it; in the projection the symbol for it (U+2400) stands in its place.
--
-- Times are microseconds since 1970: `…_us` by the writer's clock, `recorded_us` and `heard_us` by the appender's.

-- One row about the journal itself.
CREATE TABLE journal (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    journal_id TEXT COLLATE "C" NOT NULL,
    created_us BIGINT NOT NULL,
    -- The number of migrations done. Every writing transaction reads it, so that a program that is too old stops.
    schema_version BIGINT NOT NULL,
    -- Streams ever opened: `streams.id` runs from 1 to this without a hole, so a removed one is noticed.
    streams BIGINT NOT NULL DEFAULT 0,
    -- Everything up to this position was folded away by pruning; `checkpoint_link` is the link there.
    checkpoint BIGINT NOT NULL DEFAULT 0,
    checkpoint_link BYTEA
);

-- One row a chain: a session's, or a journal's own. Every commit rewrites some of these, so pages keep room for that.
CREATE TABLE streams (
    id BIGINT PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL UNIQUE,
    component TEXT COLLATE "C" NOT NULL,
    -- 1 when the processes that open this database write it, 0 when it is received.
    own BIGINT NOT NULL,
    -- 1 when its session was pruned: it is in no list any more, and nothing can be added to it.
    pruned BIGINT NOT NULL DEFAULT 0,
    -- Events before `base` are folded away; `base_hash` is the hash of the last of them.
    base BIGINT NOT NULL DEFAULT 0,
    base_hash BYTEA,
    next_seq BIGINT NOT NULL,
    head_hash BYTEA,
    head_position BIGINT NOT NULL,
    heard_us BIGINT NOT NULL,
    last_us BIGINT NOT NULL,
    commands BIGINT NOT NULL DEFAULT 0,
    outcomes BIGINT NOT NULL DEFAULT 0,
    failed BIGINT NOT NULL DEFAULT 0,
    writes BIGINT NOT NULL DEFAULT 0,
    destroys BIGINT NOT NULL DEFAULT 0,
    -- The command that runs, and the position of its start.
    running BIGINT,
    running_position BIGINT
) WITH (fillfactor = 70);

-- The events. `link` chains positions: SHA-256(link before, position, event_id, hash). `text` is the canonical form,
-- verbatim; null when pruned or scrubbed. `residue` is what a scrubbed event leaves for the projection.
CREATE TABLE events (
    position BIGINT PRIMARY KEY,
    event_id BYTEA NOT NULL,
    stream BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    time_us BIGINT NOT NULL,
    recorded_us BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    link BYTEA NOT NULL,
    residue TEXT,
    text TEXT
);
CREATE UNIQUE INDEX events_by_id ON events (event_id);
CREATE UNIQUE INDEX events_by_seq ON events (stream, seq);
CREATE INDEX events_without_text ON events (position) WHERE text IS NULL;
-- Starts, ends and observations, without the commands between them.
CREATE INDEX events_milestones ON events (position) WHERE type IN ('session_start', 'session_end', 'observation');

-- The sessions, as lists show them. Rewritten at a session's start and end only, so it can afford its indexes.
CREATE TABLE sessions (
    stream BIGINT PRIMARY KEY,
    session_id TEXT COLLATE "C" NOT NULL UNIQUE,
    component TEXT COLLATE "C" NOT NULL,
    -- The place in lists: its start, or its first event when the start was never seen.
    order_us BIGINT NOT NULL,
    start_us BIGINT,
    end_us BIGINT,
    duration_us BIGINT,
    -- Which of the ranges of durations it is in: four to a doubling. Null while it is open.
    duration_class BIGINT,
    -- open, ended or crashed; `stale` and `lost` are computed from presence when read.
    status TEXT COLLATE "C" NOT NULL,
    end_reason TEXT COLLATE "C",
    -- 1 when its owner said that it ended.
    own_end BIGINT NOT NULL DEFAULT 0,
    inferred BIGINT NOT NULL DEFAULT 0,
    component_type TEXT COLLATE "C",
    component_version TEXT COLLATE "C",
    shell_type TEXT COLLATE "C",
    mode TEXT COLLATE "C",
    pid BIGINT,
    username TEXT COLLATE "C",
    home TEXT COLLATE "C",
    uid BIGINT,
    actor_kind TEXT COLLATE "C",
    verified BIGINT,
    hostname TEXT COLLATE "C",
    platform TEXT COLLATE "C",
    runtime TEXT COLLATE "C",
    python_version TEXT COLLATE "C",
    working_directory TEXT COLLATE "C",
    reason TEXT COLLATE "C",
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

-- The commands, by the position of `command_start`.
CREATE TABLE commands (
    position BIGINT PRIMARY KEY,
    stream BIGINT NOT NULL,
    command BIGINT NOT NULL,
    start_us BIGINT NOT NULL,
    input TEXT COLLATE "C",
    status TEXT COLLATE "C",
    duration_us BIGINT,
    error TEXT COLLATE "C"
) WITH (fillfactor = 90);
CREATE INDEX commands_failed ON commands (position) WHERE status IS NOT NULL AND status <> 'ok';

-- Finds any part of an input where the server has `pg_trgm`, which comes with Postgres and which the owner of a database
-- may switch on. Where it is missing, or may not be switched on, a search reads the inputs one by one.
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE INDEX commands_by_text ON commands USING gin (input gin_trgm_ops);
EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE 'the inputs of commands have no index: %', SQLERRM;
END
$$;

-- What others said about sessions, by the session.
CREATE TABLE observations (
    position BIGINT PRIMARY KEY,
    about TEXT COLLATE "C" NOT NULL,
    what TEXT COLLATE "C" NOT NULL,
    time_us BIGINT NOT NULL
);
CREATE INDEX observations_by_session ON observations (about, position);

-- Totals per day (of the session's start, UTC, days since 1970) and component, kept by the difference that each event
-- makes to its session. A pruned session stays in them.
CREATE TABLE rollups (
    day BIGINT NOT NULL,
    component TEXT COLLATE "C" NOT NULL,
    sessions BIGINT NOT NULL,
    ended BIGINT NOT NULL,
    inferred BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    commands BIGINT NOT NULL,
    outcomes BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    writes BIGINT NOT NULL,
    destroys BIGINT NOT NULL,
    PRIMARY KEY (day, component)
) WITH (fillfactor = 50);

-- The part of the rollups that pruned sessions made. A rebuild starts from it.
CREATE TABLE rollups_base (LIKE rollups INCLUDING ALL);

-- Events that contradict what is stored: kept aside, verbatim, once each.
CREATE TABLE conflicts (
    hash BYTEA PRIMARY KEY,
    event_id BYTEA NOT NULL,
    stream TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    recorded_us BIGINT NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX conflicts_by_stream ON conflicts (stream, seq);

-- Who was heard from when, live. No part of the record.
CREATE TABLE presence (
    session_id TEXT COLLATE "C" PRIMARY KEY,
    component TEXT COLLATE "C" NOT NULL,
    heard_us BIGINT NOT NULL,
    lease_us BIGINT NOT NULL,
    detail TEXT
) WITH (fillfactor = 70);
CREATE INDEX presence_by_time ON presence (heard_us);

-- How far each sink has got, for each component it takes.
CREATE TABLE cursors (
    sink TEXT COLLATE "C" NOT NULL,
    component TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    changed_us BIGINT NOT NULL,
    PRIMARY KEY (sink, component)
) WITH (fillfactor = 50);

-- A tracker's word that it holds our events up to a position: the journal's anchor outside itself. A receipt belongs to
-- a sink's progress with one component: when the tracker does not know it, that cursor goes back to an older one.
CREATE TABLE receipts (
    tracker TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    link BYTEA NOT NULL,
    tracker_position BIGINT,
    tracker_link TEXT COLLATE "C",
    received_us BIGINT NOT NULL,
    sink TEXT COLLATE "C",
    component TEXT COLLATE "C",
    PRIMARY KEY (tracker, position)
);
CREATE INDEX receipts_by_sink ON receipts (sink, component, position);

-- Events that a sink refused: kept, counted as undelivered, and tried again when asked to.
CREATE TABLE buried (
    sink TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    event_id BYTEA NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    buried_us BIGINT NOT NULL,
    PRIMARY KEY (sink, position)
);

-- Who may write a stream that is received: the subject of the first token that brought an event of it.
CREATE TABLE writers (
    stream TEXT COLLATE "C" PRIMARY KEY,
    writer TEXT COLLATE "C" NOT NULL
);

-- Sums over the record that are carried on instead of made anew: everything up to `position` is in `body`. Whoever
-- carries one on says from which position, so that two trackers never add the same events.
CREATE TABLE folds (
    name TEXT COLLATE "C" PRIMARY KEY,
    position BIGINT NOT NULL,
    body TEXT NOT NULL
);
