"""Stopping the assembly where a test wants it, and seeing what its agents did."""

from __future__ import annotations

from pathlib import Path

from tests.processes import Place, until

ASSEMBLY = str(Path(__file__).with_name("assembly.py"))


class Gates:
    """Says where the agents of the assembly stop, and reads their journal."""

    def __init__(self, place: Place) -> None:
        self._folder = place.folder / "gates"
        self._folder.mkdir()
        (self._folder / "journal").touch()
        place.env |= {
            "ASSEMBLY": str(self._folder),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "STAGEWRIGHT_LEASE_S": "1",
            "STAGEWRIGHT_GRACE_S": "0.5",
        }

    def shut(self, stage: str) -> None:
        (self._folder / f"shut-{stage}").touch()

    def open(self, stage: str) -> None:
        (self._folder / f"shut-{stage}").unlink()

    def executions(self) -> list[list[str]]:
        """Workflow, stage, visit and process of every execution."""
        return [line.split() for line in (self._folder / "journal").read_text().splitlines()]

    def wait_for(self, stage: str) -> str:
        """Return the process that began with the stage."""
        begun = until(lambda: [e for e in self.executions() if e[1] == stage])
        return begun[-1][3]


def start(place: Place) -> str:
    """Start an assembly; returns its id."""
    return place.ask(lambda client: client.start("assembly", {"number": 7}).workflow_id)


def end_of(place: Place, workflow_id: str) -> list[str]:
    """Wait for the end; returns what was done, in order."""
    view = place.ask(lambda client: client.wait(workflow_id, timeout_s=40))
    done: list[str] = view.output["done"]
    return done
