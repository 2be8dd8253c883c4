"""Where a process starts: settings, container, command line."""
