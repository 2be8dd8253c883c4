"""Tests: unit of domain."""
