"""The demo from the command line.

    python -m examples.delivery run [FILE]    deliver a request, by default the to-do list
    python -m examples.delivery stop          end every deployed service

A run that was killed is gone on with by the next run of the same request.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio

from examples.delivery import places, services
from examples.delivery.request import read_request
from stagewright import StagewrightError
from stagewright.entrypoints.settings import load_settings

DEFAULT = Path(__file__).with_name("requests") / "todo.json"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.delivery",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run", help="deliver a request, or go on with it")
    running.add_argument("file", type=Path, nargs="?", default=DEFAULT, help="a request as JSON")
    commands.add_parser("stop", help="end every deployed service")
    options = parser.parse_args(arguments)
    return stop(places.default_home()) if options.command == "stop" else run(options.file)


def run(file: Path) -> int:
    """Deliver the request in `file`; 0 when it is deployed, 1 when not, 5 if it is no request.

    The workflow lives where the settings say, like those of the command `stagewright`.
    """
    from examples.delivery import demo  # noqa: PLC0415  `stop` needs no engine

    try:
        request = read_request(file)
        return anyio.run(demo.run, request, load_settings().settings.url)
    except StagewrightError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def stop(home: Path) -> int:
    """End every service that was deployed below `home`, and say which."""
    ended = list(_ended(home))
    sys.stdout.write("\n".join(ended or ["no deployed service is running"]) + "\n")
    return 0


def _ended(home: Path) -> Iterator[str]:
    for folder in services.folders_with_services(places.deployments_path(home)):
        service = services.stop(folder)
        if service is not None:
            yield f"{service.name} at {service.address} has ended"


if __name__ == "__main__":
    sys.exit(main())
