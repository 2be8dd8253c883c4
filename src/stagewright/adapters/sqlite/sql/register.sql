INSERT INTO registry (kind, name, version, hash, registered_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)
