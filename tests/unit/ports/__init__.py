"""Tests: unit of ports."""
