"""Durable multi-agent workflows: pure decisions, atomic steps, checked contracts."""

from __future__ import annotations

__version__ = "0.1.0"
