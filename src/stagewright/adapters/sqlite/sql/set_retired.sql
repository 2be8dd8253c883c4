UPDATE registry SET retired = ?4 WHERE kind = ?1 AND name = ?2 AND version = ?3
