"""`stagewright mcp`: workflows as tools of an assistant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stagewright.entrypoints.cli.flags import AsJson, By, LogFormat, LogLevel, Url, settings_of

if TYPE_CHECKING:
    from stagewright.entrypoints.settings import Settings


def mcp(
    http: Annotated[
        bool, typer.Option("--http", help="Serve streamable HTTP on loopback instead of stdio.")
    ] = False,
    port: Annotated[
        int, typer.Option(metavar="N", help="Port for --http; 0 takes a free one.")
    ] = 0,
    allow_decisions: Annotated[
        bool,
        typer.Option("--allow-decisions", help="Let the assistant approve and reject as --as."),
    ] = False,
    by: By = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Serve the Model Context Protocol: an assistant may start and watch workflows."""
    from stagewright.entrypoints.cli.flags import user
    from stagewright.entrypoints.hosting import run_process

    settings = settings_of(url=url, log_level=log_level or "warning", log_format=log_format)
    _must_be_installed()
    name = user(by)
    if http:
        run_process(lambda: _http(settings, name, port, decisions=allow_decisions, as_json=as_json))
    else:
        run_process(lambda: _stdio(settings, name, decisions=allow_decisions))


def _must_be_installed() -> None:
    from importlib.util import find_spec

    from stagewright.domain.errors import ConfigurationError

    if find_spec("mcp") is None:
        raise ConfigurationError(
            "mcp", "the package is not installed.", remedy="Run `pip install 'stagewright[mcp]'`."
        )


async def _stdio(settings: Settings, by: str, *, decisions: bool) -> None:
    """Standard output belongs to the protocol: nothing else is written there."""
    from stagewright.entrypoints.assistant import server_of
    from stagewright.entrypoints.client.stagewright import Stagewright

    async with Stagewright.of(settings) as client:
        await server_of(client, by=by, decisions=decisions).run_stdio_async()


async def _http(settings: Settings, by: str, port: int, *, decisions: bool, as_json: bool) -> None:
    import secrets

    from stagewright.entrypoints.assistant import server_of
    from stagewright.entrypoints.assistant_http import serving_http
    from stagewright.entrypoints.cli.ready import announce
    from stagewright.entrypoints.client.stagewright import Stagewright
    from stagewright.entrypoints.hosting import alone, stopped_by_signal

    token = secrets.token_urlsafe(32)
    with alone():
        async with Stagewright.of(settings) as client:
            server = server_of(client, by=by, decisions=decisions)
            async with serving_http(server, port, token) as address:
                announce("mcp", as_json=as_json, address=address, token=token)
                await stopped_by_signal()
