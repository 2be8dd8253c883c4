"""The asynchronous use cases, written over ports alone."""
