SELECT number, commits FROM partitions ORDER BY number
