"""The protocols that adapters obey; their docstrings are the contract."""
