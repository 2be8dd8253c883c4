"""Tests that take long: `make torture` runs them all, `make test` none."""
