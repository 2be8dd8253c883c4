"""The agents of a simulation: what each does is drawn, once and for all, from its task."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import orjson
from pydantic import BaseModel

from stagewright.application.agents import Agent, AgentError, Fatal, Labelled, agent, outcome
from stagewright.application.context import AgentContext
from stagewright.ports.system import IClock
from stagewright.testing.checker import Execution

Note = Callable[[Execution], None]

SLOW_S = (6.0, 14.0)
"""Longer than a lease lasts, so that it must be renewed."""
POISON = "poison"
"""A text that kills whoever decides about it."""
HANGING_S = 200.0
"""Longer than any stage may take."""


class Product(BaseModel):
    """What every agent gives."""

    n: int
    text: str = ""


@agent("worker")
async def _worker(given: Any) -> Product:
    return Product(n=given)


@agent("judge", outcomes=("good", "bad"))
async def _judge(given: Any) -> Labelled[Product]:
    return outcome("good", Product(n=given))


CONTRACTS = {"worker": _worker.contract, "judge": _judge.contract}


class Cast:
    """Makes agents that fail, hang, break their contract or stream as the seed says."""

    def __init__(
        self, seed: int, clock: IClock, note: Note, fact: Callable[[str], None], poison: float
    ) -> None:
        self._seed, self._clock, self._note, self._fact = seed, clock, note, fact
        self._poison = poison
        self._trouble = random.Random(f"trouble {seed}").choice([0.0, 0.15, 0.4])  # noqa: S311

    def agents(self) -> list[Agent[..., Any]]:
        """Return the agents that one runner serves."""

        @agent("worker")
        async def worker(given: Any, ctx: AgentContext) -> Product:
            return self._made(ctx, await self._work(given, ctx))

        @agent("judge", outcomes=("good", "bad"))
        async def judge(given: Any, ctx: AgentContext) -> Product | Labelled[Product]:
            product = self._made(ctx, await self._work(given, ctx))
            label = self._chance(ctx, "label").choice(["good", "good", "bad", None])
            return product if label is None else outcome(label, product)

        return [worker, judge]

    def _chance(self, ctx: AgentContext, what: str) -> random.Random:
        words = (what, self._seed, ctx.workflow_id, ctx.stage, ctx.visit, ctx.attempt)
        return random.Random(repr(words))  # noqa: S311  # repeatable by intent

    async def _work(self, given: Any, ctx: AgentContext) -> int:
        chance = self._chance(ctx, "work")
        if chance.random() < 0.2:
            await ctx.log("working", attempt=ctx.attempt)
        if chance.random() < 0.1:
            await ctx.delta("so far")
        await self._clock.sleep(chance.choice([0.0, 0.05, 0.3, 1.5]))
        if chance.random() < self._trouble:
            await self._misbehave(chance)
        return given["n"] if isinstance(given, dict) and isinstance(given.get("n"), int) else 0

    async def _misbehave(self, chance: random.Random) -> None:
        how = chance.choice(["fail", "fail", "fatal", "slow", "slow", "hang", "break"])
        self._fact(f"an agent did {how}")
        if how == "fail":
            raise AgentError("flaky", "not this time")
        if how == "fatal":
            raise Fatal("never")
        if how == "break":
            raise AgentError("contract_violation", "the output is wrong")
        await self._clock.sleep(HANGING_S if how == "hang" else chance.uniform(*SLOW_S))

    def _made(self, ctx: AgentContext, n: int) -> Product:
        """Note what is about to be given, before anybody else can know."""
        chance = self._chance(ctx, "size")
        text = f"{ctx.stage} {ctx.attempt} " + "x" * (400 if chance.random() < 0.1 else 0)
        if chance.random() < self._poison:
            text = POISON
        product = Product(n=n, text=text)
        body = orjson.dumps(product.model_dump(), option=orjson.OPT_SORT_KEYS)
        self._note(Execution(ctx.workflow_id, ctx.stage, ctx.visit, body))
        return product
