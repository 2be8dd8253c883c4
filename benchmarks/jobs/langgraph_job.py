"""LangGraph: six nodes in a row, with its SQLite checkpointer, in one process."""

from __future__ import annotations

import asyncio
import os
from typing import Any, TypedDict

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph

from benchmarks.jobs.common import STAGES, Parcel, check, converse, leave, parcel, work

AT_ONCE = 8
DURABILITY: Any = os.environ["DURABILITY"]
SYNCHRONOUS = os.environ["SYNCHRONOUS"]


class State(TypedDict):
    """What the graph carries."""

    parcel: Parcel


async def node(state: State) -> State:
    """Do a stage's work."""
    return {"parcel": work(state["parcel"])}


def compiled(saver: AsyncSqliteSaver) -> Any:
    """Return the graph of six nodes."""
    graph = StateGraph(State)
    for before, stage in zip((START, *STAGES), (*STAGES, END), strict=False):
        if stage != END:
            graph.add_node(stage, node)
        graph.add_edge(before, stage)
    return graph.compile(checkpointer=saver)


async def main() -> None:
    """Run what the measurer orders."""
    places = asyncio.Semaphore(AT_ONCE)
    file = f"{os.environ['FOLDER']}/langgraph.sqlite"
    async with AsyncSqliteSaver.from_conn_string(file) as saver:
        await saver.setup()
        await saver.conn.execute(f"pragma synchronous={SYNCHRONOUS}")
        graph = compiled(saver)

        async def one(name: str) -> None:
            async with places:
                thread = {"configurable": {"thread_id": name}}
                begun = {"parcel": parcel(name)}
                check((await graph.ainvoke(begun, thread, durability=DURABILITY))["parcel"])

        async def batch(names: list[str]) -> None:
            await asyncio.gather(*map(one, names))

        await converse(batch, one)
        leave()


if __name__ == "__main__":
    asyncio.run(main())
