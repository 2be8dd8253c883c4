SELECT at_ms FROM records WHERE place > ?1 ORDER BY place LIMIT 1
