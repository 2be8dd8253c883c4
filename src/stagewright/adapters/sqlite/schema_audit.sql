-- Changes that people and programs asked for, in the order of their ids.

CREATE TABLE audit (
    entry_id TEXT PRIMARY KEY,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX audit_by_actor ON audit (actor, entry_id);
CREATE INDEX audit_by_action ON audit (action, entry_id);
CREATE INDEX audit_by_target ON audit (target, entry_id);
