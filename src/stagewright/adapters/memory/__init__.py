"""The backend that lives in one process: the reference for the contract suites."""
