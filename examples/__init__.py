"""Runnable examples of Stagewright."""
