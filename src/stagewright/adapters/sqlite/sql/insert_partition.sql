INSERT INTO partitions (number) VALUES (?1)
