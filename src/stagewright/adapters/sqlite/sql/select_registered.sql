SELECT kind, name, version, hash, registered_at_ms, retired FROM registry
WHERE kind = ?1 AND name = ?2 AND version = ?3
