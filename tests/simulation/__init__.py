"""Whole systems from a seed."""
