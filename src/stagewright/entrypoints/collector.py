"""Python's cycle collector, set for processes that hold many long-lived objects."""

from __future__ import annotations

import gc

YOUNG_OBJECTS = 50_000


def let_imports_pass() -> None:
    """Let the collector run less often from the start: it took an eighth of a short command."""
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)


def relax_collector() -> None:
    """Put what start-up made out of the collector's sight, and let it run less often.

    Snapshots and envelopes make garbage without cycles, which reference counts free at once; with
    the default thresholds the collector took 15 % of a step.
    """
    gc.collect()
    gc.freeze()
    let_imports_pass()
