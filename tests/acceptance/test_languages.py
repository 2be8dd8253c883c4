"""Agents in any language, and definitions in either spelling."""

from __future__ import annotations

from typing import Any

import orjson

from stagewright.sync import Stagewright
from tests.processes import Place, until

AGENTS = """
from stagewright.application.subprocess_agent import subprocess_agent

TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}

shout = subprocess_agent("shout", command=["node", "shout.js"], input=TEXT, output=TEXT)
measure = subprocess_agent("measure", command=["sh", "measure.sh"], output={"type": "integer"})
"""
SHOUT = """
const { createInterface } = require('node:readline');
const say = (event) => console.log(JSON.stringify(event));
createInterface({ input: process.stdin }).once('line', (line) => {
  const task = JSON.parse(line);
  say({ event: 'log', message: 'shouting', fields: { visit: task.visit } });
  if (task.input.text === 'oops') {
    say({ event: 'result', status: 'failure',
          errors: [{ type: 'Hoarse', message: 'no voice left', final: true }] });
  } else {
    say({ event: 'result', output: { text: task.input.text.toUpperCase() }, usage: { words: 1 } });
  }
});
"""
MEASURE = r"""
read -r task
text=$(printf '%s' "$task" | sed 's/.*"text":"\([^"]*\)".*/\1/')
echo "measuring $text" >&2
printf '{"event":"result","output":%d}\n' "${#text}"
"""
SPELLED_IN_YAML = """
name: loud
version: 2.1.0
input:
  type: object
  required: [text]
  properties:
    text: {type: string}
stages:
  - name: shout
    agent: shout@^1
    retry: {attempts: 2}
    rules:
      - {when: "output.text == 'QUIET'", outcome: again}
    on: {again: shout}
    max_visits: 2
    with: {from: input}
  - name: measure
    agent: measure@^1
    with: {text: {from: stages.shout.output.text}}
  - name: signed
    kind: approval
    approvers: [ann]
    show: {from: stages.shout.output}
"""
SPELLED_IN_PYTHON = """
from stagewright import Retry, Workflow, approval, rule, stage
from agents import TEXT, measure, shout

shouted = stage(
    "shout",
    agent=shout,
    retry=Retry(attempts=2),
    rules=[rule("output.text == 'QUIET'", "again")],
    max_visits=2,
    with_=Workflow.input,
)
shouted.on(again=shouted)
measured = stage("measure", agent=measure, with_={"text": shouted.output.text})
signed = approval("signed", approvers=["ann"], show=shouted.output)

loud = Workflow("loud", shouted, measured, signed, version="2.1.0", input=TEXT)
"""


def workshop(place: Place) -> Place:
    for name, text in [("agents.py", AGENTS), ("shout.js", SHOUT), ("measure.sh", MEASURE)]:
        place.write(name, text)
    return place


def start(place: Place, text: str, *options: str, code: int = 0) -> Any:
    given = orjson.dumps({"text": text}).decode()
    return place.cli("workflow", "start", "loud", "--input", given, "--json", *options, code=code)


def test_agents_in_javascript_and_shell_do_stages_of_a_yaml_workflow(place: Place) -> None:
    workshop(place).write("loud.yaml", SPELLED_IN_YAML)
    place.start("dev", "dev", ".")
    workflow_id = start(place, "hello").json["workflow_id"]
    with Stagewright(place.url) as client:
        until(lambda: client.show(workflow_id).current_stage == "signed")
    failed = start(place, "oops", "--wait", code=1)
    assert "no voice left" in failed.problem["detail"]
    shown = place.cli("workflow", "show", workflow_id, "--json").json
    assert shown["stage_outputs"] == {"measure": 5, "shout": {"text": "HELLO"}}
    notes = place.cli("workflow", "log", workflow_id, "--notes").out
    assert "shouting" in notes
    assert "measuring HELLO" in notes


def test_both_spellings_of_a_workflow_are_one_definition(place: Place) -> None:
    workshop(place).write("loud.yaml", SPELLED_IN_YAML)
    place.write("loud.py", SPELLED_IN_PYTHON)
    python, yaml = (
        place.cli("definition", "show", file, "--json").json for file in ("loud.py", "loud.yaml")
    )
    assert len(python["hash"]) == 64
    assert python == yaml
    drawn = [place.cli("definition", "show", f, "--mermaid").out for f in ("loud.py", "loud.yaml")]
    assert drawn[0] == drawn[1]
    assert "shout" in drawn[0]
