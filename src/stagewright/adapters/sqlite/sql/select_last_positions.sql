SELECT partition, max(position) FROM inbox GROUP BY partition
