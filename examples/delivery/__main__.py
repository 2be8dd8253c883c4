"""The demo from the command line.

python -m examples.delivery stop        end every deployed service
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from examples.delivery import places, services


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.delivery", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("stop", help="end every deployed service")
    parser.parse_args(arguments)
    return stop(places.default_home())


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
