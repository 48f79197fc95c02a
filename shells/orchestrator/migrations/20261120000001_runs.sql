-- Runs, and what they wrote. apalis keeps its own tables (Jobs, Workers) in the same file, so that a run and the ticket that
-- lets it start are written in one transaction.
--
-- Times are microseconds since 1970 in UTC. A run belongs to the worker named in `owner` while it runs; only that worker
-- writes its end, unless the worker is proved dead (its lease can be locked) and another takes the run from it.
CREATE TABLE runs (
    id            TEXT NOT NULL PRIMARY KEY,
    name          TEXT NOT NULL,
    program       TEXT NOT NULL,
    args          TEXT NOT NULL,               -- JSON array of text
    cwd           TEXT NOT NULL,
    timeout_ms    INTEGER,
    budget        INTEGER NOT NULL,            -- attempts that were asked for
    allowance     INTEGER NOT NULL,            -- the number of the last attempt it may have; `retry` raises it
    status        TEXT NOT NULL,
    attempts      INTEGER NOT NULL DEFAULT 0,
    ticket        INTEGER NOT NULL DEFAULT 0,  -- which ticket may start it: older ones are void
    created       INTEGER NOT NULL,
    started       INTEGER,
    finished      INTEGER,
    next_attempt  INTEGER,
    exit_code     INTEGER,
    signal        TEXT,
    error         TEXT,
    last_line     TEXT,
    owner         TEXT,
    pid           INTEGER,
    pid_began     INTEGER,                     -- with pid_home: which process the number meant
    pid_home      TEXT,
    cancel        INTEGER NOT NULL DEFAULT 0,  -- somebody wants it stopped
    out_bytes     INTEGER NOT NULL DEFAULT 0,  -- written in all, kept or not
    err_bytes     INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX runs_by_status ON runs (status, id);
CREATE INDEX runs_by_end ON runs (finished) WHERE finished IS NOT NULL;
CREATE INDEX runs_by_owner ON runs (owner) WHERE owner IS NOT NULL;

-- Pieces of output in the order they came. The oldest pieces of a stream go when what is newer reaches the limit.
CREATE TABLE output (
    run           TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq           INTEGER NOT NULL,
    attempt       INTEGER NOT NULL,
    stream        INTEGER NOT NULL,            -- 1 standard output, 2 standard error
    size          INTEGER NOT NULL,
    bytes         BLOB NOT NULL,
    PRIMARY KEY (run, seq)
);
