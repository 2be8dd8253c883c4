"""A Redis Cluster: each call goes to the node that serves its keys, also while slots move.

A node that answers MOVED, ASK, TRYAGAIN or CLUSTERDOWN has done nothing, and so has one to which no
connection could be made: such a command is sent again. One whose answer was lost is not.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from redis.exceptions import AskError, ClusterDownError, MovedError, TryAgainError

from stagewright.adapters.redis.connection import Address, Command, Place, checked
from stagewright.adapters.redis.errors import SERVER
from stagewright.adapters.redis.node import Node
from stagewright.adapters.redis.server import answers
from stagewright.adapters.redis.slots import SlotMap, key_of, slot_of
from stagewright.domain.errors import OutcomeUnknown, StagewrightError, StoreFailed, Unreachable

log = structlog.get_logger(__name__)

PATIENCE_S = 20.0
"""How long a call waits for slots that move and for masters that are replaced: with its default
settings a cluster takes 15 s to notice that one is gone, and a moment to elect another."""
REDIRECTS = 3
"""So many are followed at once; after that a pause comes before each."""

_PAUSES_S = (0.02, 0.2)
_NO_MASTER = "no node serves slot {}"

Target = tuple[Place, bool]
"""A node, and whether the slot is just moving there."""


class Cluster:
    """All nodes of a cluster, found by way of some of them."""

    promotes = True

    def __init__(self, seeds: Sequence[Address], public_url: str) -> None:
        self.public_url = public_url
        self.timeout_s, self.replicas = seeds[0].timeout_s, seeds[0].replicas
        self._seeds = seeds
        self._nodes: dict[Place, Node] = {}
        self._slots = SlotMap()
        self._doubtful = True
        self._looking = asyncio.Lock()

    def doubt(self) -> None:
        """Look again at who serves what, before the next call."""
        self._doubtful = True

    async def call_all(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands in one exchange for each node, all at once."""
        replies: list[Any] = [None] * len(commands)
        left: dict[int, Target | None] = dict.fromkeys(range(len(commands)))
        now_s = asyncio.get_running_loop().time
        give_up_s, rounds = now_s() + PATIENCE_S, 0
        while left:
            await self._look()
            await self._exchange(commands, left, replies)
            rounds += 1
            left = self._left(left, replies)
            hurried = rounds < REDIRECTS and all(_redirects(replies[number]) for number in left)
            if left and not hurried:
                if now_s() > give_up_s:
                    break
                await self._pause(replies[next(iter(left))], rounds)
        return replies

    async def _pause(self, reason: object, rounds: int) -> None:
        if rounds == REDIRECTS:
            log.warning("cluster_waits", reason=str(reason), patience_s=PATIENCE_S)
        await asyncio.sleep(random.uniform(*_PAUSES_S))  # noqa: S311  # not a secret

    async def _exchange(
        self, commands: Sequence[Command], left: Mapping[int, Target | None], replies: list[Any]
    ) -> None:
        """Send what is left, and put the replies into their places."""
        groups: dict[Target, list[int]] = {}
        for number, target in left.items():
            slot = slot_of(key_of(commands[number]))
            place = self._slots.place(slot)
            if target is None and place is None:
                replies[number] = Unreachable(SERVER, _NO_MASTER.format(slot))
                self.doubt()
            else:
                groups.setdefault(target or (place, False), []).append(number)  # type: ignore[arg-type]  # not None
        exchanges = [self._ask(target, commands, group) for target, group in groups.items()]
        found = [await exchanges[0]] if len(exchanges) == 1 else await asyncio.gather(*exchanges)
        for group, answered in zip(groups.values(), found, strict=True):
            for number, reply in zip(group, answered, strict=True):
                replies[number] = reply

    async def _ask(
        self, target: Target, commands: Sequence[Command], group: list[int]
    ) -> list[Any]:
        place, asking = target
        return await answers(self._node(place), [commands[n] for n in group], asking=asking)

    def _left(self, sent: Iterable[int], replies: Sequence[Any]) -> dict[int, Target | None]:
        """Return what was not executed and where it is to go, None for wherever its slot is."""
        left: dict[int, Target | None] = {}
        for number in sent:
            reply = replies[number]
            if isinstance(reply, AskError):
                place = self._redirected(reply)
                left[number] = None if isinstance(reply, MovedError) else (place, True)
            elif _not_executed(reply):
                left[number] = None
                self.doubt()
            elif isinstance(reply, OutcomeUnknown):
                self.doubt()
        return left

    def _redirected(self, error: AskError) -> Place:
        place = (error.host or self._seeds[0].place[0], error.port)
        if isinstance(error, MovedError):
            self._slots.moved(error.slot_id, place)
        return place

    async def redirected(self, error: AskError) -> Address:
        """Return where a node says that a key is served."""
        return self._seeds[0].at(self._redirected(error))

    def _node(self, place: Place) -> Node:
        if place not in self._nodes:
            self._nodes[place] = Node(self._seeds[0].at(place))
        return self._nodes[place]

    async def _look(self) -> None:
        """Read who serves what, if that is in doubt; callers wait for one that already looks."""
        if not self._doubtful:
            return
        async with self._looking:
            if self._doubtful:
                await self._read_slots()

    async def _read_slots(self) -> None:
        """Ask node after node, in a random order; raise what the last one said."""
        places = {*self._slots.masters, *(seed.place for seed in self._seeds)}
        failure: StagewrightError | None = None
        for place in random.sample(sorted(places), len(places)):
            try:
                (reply,) = await self._node(place).call_all([("CLUSTER", "SLOTS")])
                self._slots.replace(checked(reply), place)
            except StagewrightError as error:
                failure = error
            else:
                self._doubtful = False
                return
        raise failure or Unreachable(SERVER, "no node is known")

    async def call_each(self, commands: Sequence[Command]) -> Mapping[str, list[Any]]:
        """Run commands on every master."""
        self.doubt()
        try:
            await self._look()
        except StagewrightError as error:
            return {"": [error] * len(commands)}
        masters = self._slots.masters
        found = await asyncio.gather(*(answers(self._node(place), commands) for place in masters))
        names = [f"{host}:{port}" for host, port in masters]
        return dict(zip(names, found, strict=True))

    async def load(self) -> None:
        """Load our Functions on every master; one that is away is given them when it is called."""
        await self._look()
        for place in self._slots.masters:
            with suppress(Unreachable):
                await self._node(place).load()

    def together(self, keys: Iterable[str]) -> Mapping[int, Sequence[str]]:
        """Group keys by slot: no command may read several, not even on one node."""
        groups: dict[int, list[str]] = {}
        for key in keys:
            groups.setdefault(slot_of(key), []).append(key)
        return groups

    async def address_of(self, key: str) -> Address:
        """Return the master of a key's slot."""
        await self._look()
        slot = slot_of(key)
        place = self._slots.place(slot)
        if place is None:
            self.doubt()
            raise Unreachable(SERVER, _NO_MASTER.format(slot))
        return self._seeds[0].at(place)

    def listening_posts(self) -> Sequence[Address]:
        """Return the masters in a random order: the nodes pass on to one another what is said."""
        places = self._slots.masters
        return [self._seeds[0].at(place) for place in random.sample(places, len(places))]

    async def distrust(self) -> None:
        """Use no connection again that lies idle now."""
        for node in self._nodes.values():
            await node.distrust()

    async def close(self) -> None:
        """Close all connections."""
        for node in self._nodes.values():
            await node.close()


def _redirects(reply: object) -> bool:
    return isinstance(reply, AskError)


def _not_executed(reply: object) -> bool:
    """Whether a node refused for a reason that passes, or never got the command."""
    if isinstance(reply, Unreachable):
        return not isinstance(reply, OutcomeUnknown | StoreFailed)
    return isinstance(reply, TryAgainError | ClusterDownError)
