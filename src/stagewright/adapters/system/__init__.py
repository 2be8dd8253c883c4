"""The machine's own clock, identifiers and randomness."""
