SELECT max(place) FROM records
