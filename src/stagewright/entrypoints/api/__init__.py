"""The control interface over HTTP: the owner's door, on loopback only."""
