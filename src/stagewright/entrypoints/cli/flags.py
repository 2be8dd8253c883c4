"""Options that many commands have, and the settings they lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from stagewright.entrypoints.settings import Loaded, Settings

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="Where workflows live: sqlite:///PATH, redis://..., http://127.0.0.1:PORT.",
        show_default="from the settings",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="Workflow id.", show_default=False)]
By = Annotated[
    str | None,
    typer.Option("--as", metavar="NAME", help="Who says so.", show_default="your user name"),
]
Port = Annotated[
    int | None,
    typer.Option(help="Port of the control interface; 0 takes a free one.", metavar="N"),
]
LogLevel = Annotated[
    str | None,
    typer.Option(help="debug, info, warning or error.", metavar="LEVEL", show_default="info"),
]
LogFormat = Annotated[
    str | None, typer.Option(help="auto, json or pretty.", metavar="FORMAT", show_default="auto")
]
Concurrency = Annotated[int | None, typer.Option(help="Tasks at once for each agent.", metavar="N")]


def load(**flags: Any) -> Loaded:
    """Return the settings that these options, the environment and the toml give."""
    from stagewright.entrypoints.settings import load_settings

    return load_settings(flags)


def settings_of(**flags: Any) -> Settings:
    """Return the settings and set up the log by them."""
    from stagewright.entrypoints.logging import configure_logging

    settings = load(**flags).settings
    configure_logging(settings.log_level, settings.log_format)
    return settings


def user(given: str | None) -> str:
    """Return who gives a command: as said, else the user of this machine."""
    import getpass

    return given or getpass.getuser()
