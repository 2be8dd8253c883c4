"""A workflow to be tested by the kit for tests."""

from __future__ import annotations

from pydantic import BaseModel

from stagewright import AgentContext, Workflow, agent, approval, stage, wait

DAY_S = 86_400.0


class Topic(BaseModel):
    about: str


class Draft(BaseModel):
    text: str


@agent("write")
async def write(task: Topic, ctx: AgentContext) -> Draft:
    await ctx.log("writing")
    return Draft(text=f"all about {task.about}, draft {ctx.visit}")


@agent("print")
def print_it(draft: Draft) -> Draft:
    return Draft(text=draft.text.upper())


draft = stage("draft", agent=write, with_=Workflow.input, max_visits=3)
review = approval("review", approvers=["editors"], show={"text": draft.output.text})
printed = stage("printed", agent=print_it, with_=draft.output)
article = Workflow(
    "article",
    draft,
    wait("rest", for_s=30 * DAY_S),
    review.on(rejected=draft),
    wait("paper", signal="paper_came"),
    printed,
    input=Topic,
)
quick = Workflow("quick", stage("draft", agent=write, with_=Workflow.input), printed, input=Topic)
TEA = {"about": "tea"}
