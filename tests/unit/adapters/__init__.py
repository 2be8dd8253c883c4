"""Tests: unit of adapters."""
