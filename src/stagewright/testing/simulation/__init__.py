"""Deterministic simulation: everything real but the store, the time and the luck."""
