"""The dashboard: pages and fragments over the same use cases as the API."""
