"""The backend on Redis, shared by many processes."""
