SELECT body FROM bodies WHERE kind = ?1 AND hash = ?2
