DELETE FROM records WHERE place > ?1 AND place <= ?2 AND number IS NULL
