SELECT body FROM audit
WHERE action = ?4 AND entry_id >= ?1 AND entry_id < ?2
ORDER BY entry_id DESC LIMIT ?3
