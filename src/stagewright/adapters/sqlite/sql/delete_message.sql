DELETE FROM inbox WHERE position = ?1 AND partition = ?2
