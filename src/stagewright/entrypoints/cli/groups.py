"""Groups of commands whose help is quick."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


class Group(TyperGroup):
    """A group that reads its own `--help` as a flag that was not given, instead of as nothing.

    For nothing, typer loads pydantic to find out what it is: twice the time of `--help`.
    """

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option, with a default."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.default = False
        return option
