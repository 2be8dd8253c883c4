"""What the ports of one open backend have in common."""

from __future__ import annotations

from dataclasses import dataclass, field

from stagewright.adapters.redis.functions import Functions
from stagewright.adapters.redis.health import Health
from stagewright.adapters.redis.keys import Keys
from stagewright.adapters.redis.lanes import Lanes
from stagewright.adapters.redis.watch import Watch
from stagewright.ports.system import IClock


@dataclass(frozen=True)
class Shared:
    """One namespace on one server."""

    functions: Functions
    keys: Keys
    clock: IClock
    health: Health
    feed_retention_ms: int
    lanes: Lanes = field(default_factory=Lanes)
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "watch", Watch(len(self.keys.partitions)))
