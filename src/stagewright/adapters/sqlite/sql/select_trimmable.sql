SELECT max(place) FROM (SELECT place, at_ms FROM records WHERE place > ?1 ORDER BY place LIMIT ?3)
WHERE at_ms < ?2
