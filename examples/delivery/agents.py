"""The agents of the pipeline: plain functions, each with its contract."""

from __future__ import annotations

from examples.delivery.deployment import deploy
from examples.delivery.e2e import try_out
from examples.delivery.initialization import initialize
from examples.delivery.integration import integrate
from examples.delivery.scaffolding import scaffold
from examples.delivery.validation import validate
from stagewright import agent

initialization = agent("initialization", version="1.0.0")(initialize)
scaffolding = agent("scaffolding", version="1.0.0")(scaffold)
validation = agent("validation", version="1.0.0")(validate)
e2e = agent("e2e", version="1.0.0")(try_out)
integration = agent("integration", version="1.0.0")(integrate)
deployment = agent("deployment", version="1.0.0")(deploy)
