"""Tests: unit of benchmarks."""
