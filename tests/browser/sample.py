"""Workflows to look at: one for each thing that a page has to show."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from stagewright import (
    AgentContext,
    Retry,
    Workflow,
    agent,
    approval,
    parallel,
    stage,
    wait,
)

HOSTILE = (Path(__file__).parent / "hostile.txt").read_text("utf-8").splitlines()
"""Texts that run a script wherever a page takes them for markup."""


class Topic(BaseModel):
    about: str = Field(description="What the article is about.", max_length=80)
    audience: Literal["beginners", "experts"] = "beginners"
    words: int = Field(default=120, ge=20, le=2000)
    keywords: list[str] = []
    pause_s: float = Field(default=0.05, ge=0, le=5, description="Between two sentences.")


class Draft(BaseModel):
    title: str
    paragraphs: list[str]
    words: int


class Published(BaseModel):
    address: str


class Decision(BaseModel):
    tone: Literal["as it is", "warmer", "drier"] = "as it is"
    publish_now: bool = True


SENTENCES = (
    "{about} is easier than it looks once its parts are named.",
    "Begin with one case that fails and keep it.",
    "What is measured once is a number; what is measured twice is a fact.",
    "Write down what was decided, and why, before it is forgotten.",
    "The rest is patience.",
)


@agent("write")
async def write(task: Topic, ctx: AgentContext) -> Draft:
    """Write an article, sentence by sentence."""
    await ctx.log("outline made", audience=task.audience, paragraphs=3 + ctx.visit)
    call = await ctx.tool_call("search", {"query": task.about, "limit": 3})
    await ctx.tool_result(call, {"hits": 3})
    paragraphs = []
    for sentence in SENTENCES[: 2 + ctx.visit]:
        text = sentence.format(about=task.about)
        await ctx.delta(text + " ")
        await asyncio.sleep(task.pause_s)
        paragraphs.append(text)
    if ctx.visit > 1:
        paragraphs[0] = f"{task.about}, revised: start where the reader stands."
    return Draft(title=f"On {task.about}", paragraphs=paragraphs, words=task.words)


@agent("publish")
async def publish(task: Draft, ctx: AgentContext) -> Published:
    await ctx.artifact("article.txt", "\n".join(task.paragraphs).encode())
    return Published(address=f"https://example.org/{task.title.lower().replace(' ', '-')}")


draft = stage(
    "draft",
    agent=write,
    with_=Workflow.input,
    max_visits=3,
    description="Write the article; in later rounds with what the editors said.",
)
review = approval(
    "review",
    approvers=["group:editors"],
    show={"title": draft.output.title, "paragraphs": draft.output.paragraphs},
    form=Decision,
    timeout_s=86_400,
)
publishing = stage("publishing", agent=publish, with_=draft.output)

article = Workflow(
    "article",
    draft,
    review.on(rejected=draft),
    publishing,
    version="1.2.0",
    input=Topic,
    description="An article that editors approve before it is published.",
)


class Feed(BaseModel):
    source: str
    broken: bool = False


class Rows(BaseModel):
    rows: int


@agent("fetch")
async def fetch(task: Feed, ctx: AgentContext) -> Rows:
    await ctx.log("connecting", source=task.source)
    if task.broken:
        await ctx.log("connection refused", level="error", port=5432)
        raise ConnectionError(f"{task.source} refused the connection: is its password still valid?")
    return Rows(rows=48_210)


@agent("load")
async def load(task: Rows, ctx: AgentContext) -> Rows:
    await asyncio.sleep(0.02)
    return task


def importing(name: str, on_failure: Literal["fail", "hold"]) -> Workflow:
    """Fetch and load, with what happens when it fails."""
    quick = Retry(attempts=3, delay_s=0.05, max_delay_s=0.1)
    fetching = stage("fetch", agent=fetch, with_=Workflow.input, retry=quick, on_failure=on_failure)
    return Workflow(name, fetching, stage("load", agent=load), input=Feed, version="2.0.1")


nightly_import = importing("nightly-import", "fail")
ledger_import = importing("ledger-import", "hold")


class Release(BaseModel):
    commit: str = "4f1c2ab"


class Check(BaseModel):
    passed: bool
    took_s: float


@agent("check")
async def check(task: Release, ctx: AgentContext) -> Check:
    await asyncio.sleep(0.05)
    return Check(passed=True, took_s=0.05)


@agent("rollout")
async def rollout(task: Release, ctx: AgentContext) -> Release:
    return task


given = {"commit": Workflow.input.commit}
checks = parallel(
    "checks",
    lint=stage("lint", agent=check, with_=given),
    unit=[stage("unit", agent=check, with_=given), stage("cover", agent=check, with_=given)],
    bundle=stage("bundle", agent=check, with_=given),
)
release = Workflow(
    "release",
    checks,
    wait("window", signal="release.go"),
    stage("rollout", agent=rollout, with_=given),
    input=Release,
    version="3.0.0",
)
cooling = Workflow(
    "cooling", wait("settle", for_s=7200), stage("rollout", agent=rollout, with_={"commit": "x"})
)


transcoding = Workflow(
    "transcoding",
    stage("transcode", agent="transcode@^1", with_={"format": "webm"}),
    description="Its agent runs in no process here.",
)


class Anything(BaseModel):
    lines: list[str] = []


class Said(BaseModel):
    texts: dict[str, str]


@agent("hostile")
async def hostile(task: Anything, ctx: AgentContext) -> Said:
    """Put hostile text wherever an agent can put text."""
    for text in HOSTILE:
        await ctx.log(text, level=text[:40], field=text)
        await ctx.delta(text)
    call = await ctx.tool_call(HOSTILE[0], {HOSTILE[1]: HOSTILE[2]})
    await ctx.tool_result(call, HOSTILE[3], error=HOSTILE[4])
    await ctx.artifact("evil.txt", HOSTILE[0].encode())
    return Said(texts=dict(zip(HOSTILE, reversed(HOSTILE), strict=True)))


@agent("blow")
async def blow(task: Said, ctx: AgentContext) -> Said:
    raise ValueError(" ".join(HOSTILE))


evil = stage("hostile", agent=hostile, with_=Workflow.input)
attack = Workflow(
    "attack",
    evil,
    approval("judge", approvers=["*"], show=evil.output),
    stage("blow", agent=blow, with_=evil.output, retry=Retry(attempts=1)),
    input=Anything,
)
