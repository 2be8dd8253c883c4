"""People and services that send commands, remember what they were told, and ask again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stagewright.application.commands import Commands
from stagewright.domain.errors import Conflict, NotFound, StagewrightError, Unreachable
from stagewright.ports.control import CommandReply, CommandRequest, Started, StartRequest
from stagewright.ports.system import IClock, IIdentifiers
from stagewright.testing.simulation.promises import Promises
from stagewright.testing.simulation.records import Records

KINDS = (
    "pause", "resume", "resume", "signal", "signal", "approve", "approve", "approve", "reject",
    "retry", "retry", "cancel",
)  # fmt: skip
PEOPLE = ("ann", "ann", "bob", "cem")


@dataclass
class Order:
    """Something a person wants, in the same words however often it must be said."""

    at_s: float
    request: StartRequest | CommandRequest
    target: int = 0
    """Which start's workflow a command is for."""
    repeats: Order | None = None
    """The order whose words are said again by somebody else."""
    said: Any = None
    """The answer, an error when it was refused; None while there is none."""
    doubtful: bool = False
    """It was said before without an answer: nobody knows whether it took effect."""


@dataclass
class Orders:
    """All that is ordered in one run, and where the workflows are that were started."""

    starts: list[Order]
    commands: list[Order]

    @classmethod
    def drawn(
        cls, chance: random.Random, definitions: Sequence[str], ids: IIdentifiers, storm_s: float
    ) -> Orders:
        """Draw who starts what, and who says what to it."""
        starts = [_start(chance, number, definitions) for number in range(chance.randint(2, 4))]
        keyed = [order for order in starts if _keyed(order) and chance.random() < 0.5]
        starts += [_started_again(chance, order, storm_s) for order in keyed]
        first = len(starts)
        commands = [_command(chance, first, ids, storm_s) for _ in range(chance.randint(6, 14))]
        for order in list(commands):
            if chance.random() < 0.3:
                at_s = order.at_s + chance.uniform(0.0, 5.0)
                commands.append(Order(at_s, order.request, order.target, order))
        commands.sort(key=lambda order: order.at_s)
        return cls(starts, commands)

    def workflow_id(self, number: int) -> str | None:
        """Return the workflow of a start that was answered."""
        said = self.starts[number % len(self.starts)].said
        return said.workflow_id if isinstance(said, Started) else None

    @property
    def open(self) -> list[Order]:
        """What is not answered yet."""
        return [order for order in (*self.starts, *self.commands) if order.said is None]


def _start(chance: random.Random, number: int, definitions: Sequence[str]) -> Order:
    key = None if chance.random() < 0.3 else f"key-{number}"
    request = StartRequest(
        definition=chance.choice(definitions), input={"n": number}, key=key,
        priority=chance.choice([None, 0, 3]),
    )  # fmt: skip
    return Order(round(chance.uniform(0.0, 6.0), 3), request)


def _keyed(order: Order) -> bool:
    return isinstance(order.request, StartRequest) and order.request.key is not None


def _started_again(chance: random.Random, order: Order, storm_s: float) -> Order:
    at_s = round(chance.uniform(0.0, storm_s), 3)
    if chance.random() < 0.3:
        other = order.request.model_copy(update={"input": {"n": -1}})
        return Order(at_s, other)
    return Order(at_s, order.request, repeats=order)


def _command(chance: random.Random, starts: int, ids: IIdentifiers, storm_s: float) -> Order:
    kind = chance.choice(KINDS)
    request = CommandRequest(
        kind=kind,
        command_id=ids.uuid7(),
        by=chance.choice(PEOPLE),
        groups=("editors",) if chance.random() < 0.3 else (),
        name=chance.choice(["s", "t"]) if kind == "signal" else None,
        data={"word": "go"} if kind == "signal" else None,
        visit=chance.choice([None, None, 1]) if kind in ("approve", "reject") else None,
    )
    return Order(round(chance.uniform(2.0, storm_s), 3), request, chance.randrange(starts))


class Client:
    """One process through which people speak; in its next life it goes on where it was."""

    def __init__(
        self,
        name: str,
        orders: Orders,
        mine: Sequence[Order],
        records: Records,
        promises: Promises,
    ) -> None:
        self.name, self._orders, self._mine, self._records = name, orders, mine, records
        self._took_effect, self._broken = promises.took_effect, promises.broken

    async def work(self, commands: Commands, clock: IClock, began_s: float) -> None:
        """Say everything that is to be said, each until it is answered."""
        for order in sorted(self._mine, key=lambda order: order.at_s):
            await clock.sleep(began_s + order.at_s - clock.monotonic_s())
            while order.said is None:
                await self._say(order, commands, clock)

    async def _say(self, order: Order, commands: Commands, clock: IClock) -> None:
        if self._target(order) is None and isinstance(order.request, CommandRequest):
            order.said = Conflict("its workflow was never started")
            return
        doubtful, order.doubtful = order.doubtful, True
        done = self._took_effect(getattr(order.request, "command_id", None) or "")
        self._records.fact("a command was said again", doubtful)
        try:
            order.said = await self._answer(order, commands)
            self._records.tell(self.name, f"was told {order.said}")
        except Unreachable:
            await clock.sleep(0.5)
        except Conflict as error:
            if "kept moving" not in str(error):
                self._refused(order, error, done=done)
        except StagewrightError as error:
            self._refused(order, error, done=done)

    def _refused(self, order: Order, error: StagewrightError, *, done: bool) -> None:
        """A refusal is an answer too, unless the same words took effect before."""
        if done and not isinstance(error, NotFound):
            self._broken(f"{order.request} had taken effect, and was then refused: {error}")
        self._records.fact(f"refused: {type(error).__name__}")
        self._records.tell(self.name, f"was refused: {error}")
        order.said = error

    def _target(self, order: Order) -> str | None:
        return self._orders.workflow_id(order.target)

    async def _answer(self, order: Order, commands: Commands) -> Started | CommandReply:
        if isinstance(order.request, StartRequest):
            return await commands.start(order.request)
        return await commands.command(str(self._target(order)), order.request)
