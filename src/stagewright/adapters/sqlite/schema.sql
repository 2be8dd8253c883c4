-- One namespace. Numbers (places of tasks, positions in inboxes, places on the feed, tokens) are all
-- drawn from one counter and never used twice; `reserved` in meta bounds those in use from above.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE partitions (
    number INTEGER PRIMARY KEY,
    commits INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE workflows (
    workflow_id TEXT PRIMARY KEY,
    step_id TEXT NOT NULL,
    suspended INTEGER NOT NULL,
    snapshot BLOB NOT NULL
) STRICT;

CREATE TABLE outputs (
    workflow_id TEXT NOT NULL,
    key TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (workflow_id, key)
) STRICT, WITHOUT ROWID;

-- Step records and notes, stored once for both who reads them: a workflow's log (as long as `number`
-- is set) and the feed (as long as `place` is above `trimmed` in meta).
CREATE TABLE records (
    place INTEGER PRIMARY KEY,
    workflow_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    number INTEGER,
    at_ms INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX records_by_workflow ON records (workflow_id, kind, number)
    WHERE number IS NOT NULL;

CREATE TABLE tasks (
    place INTEGER PRIMARY KEY,
    task_id TEXT NOT NULL UNIQUE,
    partition INTEGER NOT NULL,
    state TEXT NOT NULL,
    lane TEXT NOT NULL,
    priority INTEGER NOT NULL,
    token INTEGER NOT NULL DEFAULT 0,
    holder TEXT,
    queued_at_ms INTEGER NOT NULL,
    timeout_ms INTEGER NOT NULL,
    claimed_at_ms INTEGER,
    expires_at_ms INTEGER,
    deadline_at_ms INTEGER,
    lost INTEGER NOT NULL DEFAULT 0,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX tasks_queued ON tasks (partition, lane, priority, place, queued_at_ms)
    WHERE state = 'queued';
CREATE INDEX tasks_leased ON tasks (partition, expires_at_ms)
    WHERE state = 'leased';

CREATE TABLE timers (
    workflow_id TEXT NOT NULL,
    timer_id TEXT NOT NULL,
    partition INTEGER NOT NULL,
    due_at_ms INTEGER NOT NULL,
    PRIMARY KEY (workflow_id, timer_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX timers_due ON timers (partition, due_at_ms);

CREATE TABLE inbox (
    position INTEGER PRIMARY KEY,
    partition INTEGER NOT NULL,
    workflow_id TEXT,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE letters (
    letter_id TEXT PRIMARY KEY,
    workflow_id TEXT,
    reason TEXT NOT NULL,
    body BLOB NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX letters_by_time ON letters (at_ms, letter_id);
CREATE INDEX letters_by_workflow ON letters (workflow_id, at_ms, letter_id);

CREATE TABLE entries (
    workflow_id TEXT PRIMARY KEY,
    partition INTEGER NOT NULL,
    status TEXT NOT NULL,
    definition TEXT NOT NULL,
    name TEXT NOT NULL,
    key TEXT,
    facets TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX entries_by_time ON entries (updated_at_ms, workflow_id);
CREATE INDEX entries_by_status ON entries (status, updated_at_ms, workflow_id);
CREATE INDEX entries_by_definition ON entries (definition, updated_at_ms, workflow_id);
CREATE INDEX entries_by_name ON entries (name);
CREATE INDEX entries_by_key ON entries (key) WHERE key IS NOT NULL;

-- What an entry has many of, labels and kinds of waiting: kept in step with `entries.facets`, a
-- JSON array, by the triggers.
CREATE TABLE facets (
    facet TEXT NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    workflow_id TEXT NOT NULL,
    PRIMARY KEY (facet, updated_at_ms, workflow_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER facets_appear AFTER INSERT ON entries BEGIN
    INSERT INTO facets
    SELECT value, new.updated_at_ms, new.workflow_id FROM json_each(new.facets);
END;

CREATE TRIGGER facets_move AFTER UPDATE ON entries
WHEN old.facets <> new.facets OR old.updated_at_ms <> new.updated_at_ms BEGIN
    DELETE FROM facets WHERE (facet, updated_at_ms, workflow_id) IN (
        SELECT value, old.updated_at_ms, old.workflow_id FROM json_each(old.facets)
    );
    INSERT INTO facets
    SELECT value, new.updated_at_ms, new.workflow_id FROM json_each(new.facets);
END;

CREATE TRIGGER facets_vanish AFTER DELETE ON entries BEGIN
    DELETE FROM facets WHERE (facet, updated_at_ms, workflow_id) IN (
        SELECT value, old.updated_at_ms, old.workflow_id FROM json_each(old.facets)
    );
END;

CREATE TABLE tombstones (
    workflow_id TEXT PRIMARY KEY,
    status TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    expires_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstones_by_end ON tombstones (expires_at_ms);

CREATE TABLE kv (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    expires_at_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX kv_by_end ON kv (expires_at_ms) WHERE expires_at_ms IS NOT NULL;

CREATE TABLE registry (
    place INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    hash TEXT NOT NULL,
    registered_at_ms INTEGER NOT NULL,
    retired INTEGER NOT NULL DEFAULT 0,
    UNIQUE (kind, name, version)
) STRICT;

CREATE TABLE bodies (
    kind TEXT NOT NULL,
    hash TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (kind, hash)
) STRICT;

CREATE TABLE blobs (
    workflow_id TEXT NOT NULL,
    hash TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (workflow_id, hash)
) STRICT;
