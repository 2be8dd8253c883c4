UPDATE partitions SET commits = commits + ?2 WHERE number = ?1 RETURNING commits
