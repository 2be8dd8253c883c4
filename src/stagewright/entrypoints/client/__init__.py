"""The client: everything that can be asked of workflows, wherever they live."""
