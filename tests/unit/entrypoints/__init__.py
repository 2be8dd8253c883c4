"""Tests: unit of entrypoints."""
