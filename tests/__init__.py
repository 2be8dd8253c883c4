"""The tests of Stagewright."""
