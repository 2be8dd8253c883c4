"""The backend in one SQLite file, owned by one process."""
