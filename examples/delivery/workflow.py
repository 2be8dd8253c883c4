"""The workflow: six stages, and two ways back to scaffolding."""

from __future__ import annotations

from examples.delivery import agents
from examples.delivery.request import DeliveryRequest
from stagewright import Retry, Workflow, rule, stage

rework = rule("output.verdict == 'rework'", "rework")

initialization = stage(
    "initialization",
    agent=agents.initialization,
    with_=Workflow.input,
    retry=Retry(attempts=2),
    timeout_s=60,
    description="Refuse what cannot be delivered, and prepare a place for the rest.",
)
asked = {"request": Workflow.input, "workspace": initialization.output.workspace}

scaffolding = stage(
    "scaffolding",
    agent=agents.scaffolding,
    with_=asked,
    max_visits=3,
    timeout_s=120,
    description="Write the service; in later rounds with what the checks found.",
)
built = {**asked, "commit": scaffolding.output.commit}

validation = stage(
    "validation",
    agent=agents.validation,
    with_=built,
    rules=[rework],
    on={"rework": scaffolding},
    timeout_s=300,
    description="Run linter, compiler and tests with coverage.",
)
e2e = stage(
    "e2e",
    agent=agents.e2e,
    with_=built,
    rules=[rework],
    on={"rework": scaffolding},
    timeout_s=300,
    description="Start the service and exercise it over HTTP.",
)
integration = stage(
    "integration",
    agent=agents.integration,
    with_=built,
    timeout_s=300,
    description="Merge the work into main, or say what is in conflict.",
)
deployment = stage(
    "deployment",
    agent=agents.deployment,
    with_={**asked, "commit": integration.output.commit},
    timeout_s=120,
    description="Let the service serve, and go back if it is not healthy.",
)

delivery = Workflow(
    "delivery",
    initialization,
    scaffolding,
    validation,
    e2e,
    integration,
    deployment,
    version="1.0.0",
    description="From a requirements file to a deployed, answering web service.",
    input=DeliveryRequest,
    deadline_s=1800,
)
