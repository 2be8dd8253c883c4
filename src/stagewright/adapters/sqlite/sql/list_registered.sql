SELECT kind, name, version, hash, registered_at_ms, retired FROM registry
WHERE kind = ?1
ORDER BY name, place
