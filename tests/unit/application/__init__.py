"""Tests: unit of application."""
