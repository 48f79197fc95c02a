-- What the inspector found, and when. One file for all trees of a person.
--
-- A run is one `crack()`, `lint()` …; a check is one adapter in it; findings belong to a check. `complete` says that the
-- check came to its end without a filter, so that what it did not find is not there.
CREATE TABLE runs (
    id          INTEGER PRIMARY KEY,
    tree        TEXT NOT NULL,
    what        TEXT NOT NULL,
    -- The revision that was looked at instead of the files as they lie; null for the files.
    revision    TEXT,
    branch      TEXT,
    commit_id   TEXT,
    began       TEXT NOT NULL,
    duration_ms INTEGER NOT NULL DEFAULT 0,
    -- Null while it is under way.
    verdict     TEXT,
    errors      INTEGER NOT NULL DEFAULT 0,
    warnings    INTEGER NOT NULL DEFAULT 0,
    notes       INTEGER NOT NULL DEFAULT 0,
    new         INTEGER NOT NULL DEFAULT 0,
    fixed       INTEGER NOT NULL DEFAULT 0,
    since       INTEGER
) STRICT;
CREATE INDEX runs_of_tree ON runs (tree, id);

CREATE TABLE checks (
    id          INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    adapter     TEXT NOT NULL,
    at          TEXT NOT NULL,
    kind        INTEGER NOT NULL,
    verdict     TEXT NOT NULL DEFAULT 'cancelled',
    complete    INTEGER NOT NULL DEFAULT 0,
    errors      INTEGER NOT NULL DEFAULT 0,
    warnings    INTEGER NOT NULL DEFAULT 0,
    notes       INTEGER NOT NULL DEFAULT 0,
    duration_ms INTEGER NOT NULL DEFAULT 0,
    note        TEXT,
    complaint   TEXT,
    output      TEXT
) STRICT;
CREATE INDEX checks_of_run ON checks (run);
CREATE INDEX checks_of_adapter ON checks (adapter, at, run);

CREATE TABLE findings (
    id          INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    check_id    INTEGER NOT NULL REFERENCES checks (id) ON DELETE CASCADE,
    -- Its place in the run: in the order of arrival until the run is over.
    n           INTEGER NOT NULL DEFAULT 0,
    severity    INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    tool        TEXT NOT NULL,
    file        TEXT,
    line        INTEGER,
    col         INTEGER,
    end_line    INTEGER,
    end_col     INTEGER,
    rule        TEXT,
    message     TEXT NOT NULL,
    help        TEXT,
    url         TEXT,
    fingerprint TEXT NOT NULL,
    new         INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX findings_of_run ON findings (run, n);
CREATE INDEX findings_of_check ON findings (check_id, fingerprint);
