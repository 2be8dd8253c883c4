"""The rules: pure and synchronous; no I/O, no clock, no async."""
