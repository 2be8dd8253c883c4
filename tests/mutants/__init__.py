"""Bugs to plant in a copy of the source, to see which harness catches them."""
