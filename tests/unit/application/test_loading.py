from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stagewright.application.loading import Loaded, load
from stagewright.domain.contracts import Contract
from stagewright.domain.errors import DefinitionError, LoadError, StagewrightError

AGENTS = """
from stagewright.domain.builder import Stageable
from stagewright.domain.contracts import Contract

class Agent(Stageable):
    def __init__(self, name, version="1.0.0"):
        self.contract = Contract(name=name, version=version)

build = Agent("build")
"""
FLOW = """
from my_agents import build
from stagewright.domain.builder import Workflow

flow = Workflow("flow", build)
"""
YAML = """
name: other
stages:
- name: a
  agent: build@^1
"""


class Project:
    """A user's folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, **files: str) -> Project:
        """`flow_py` stands for flow.py; for other names there is `put`."""
        for name, text in files.items():
            stem, _, suffix = name.rpartition("_")
            self.put(f"{stem}.{suffix}", text)
        return self

    def put(self, name: str, text: str) -> Project:
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return self

    def load(self, *targets: str, **others: dict[str, Contract]) -> Loaded:
        return load(targets, folder=self.root, contracts=others)

    def fails(self, *targets: str) -> StagewrightError:
        with pytest.raises((LoadError, DefinitionError)) as caught:
            self.load(*targets)
        return caught.value


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    modules, path = dict(sys.modules), list(sys.path)
    yield Project(tmp_path)
    for name in sys.modules.keys() - modules.keys():
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    sys.path[:] = path


def names(loaded: Loaded) -> list[str]:
    return sorted(loaded.sources)


def test_a_file_gives_its_workflows_and_agents(project: Project) -> None:
    loaded = project.write(my_agents_py=AGENTS, flow_py=FLOW).load("flow.py")
    assert [one.name for one in loaded.definitions] == ["flow"]
    assert [one.contract.name for one in loaded.agents] == ["build"]
    assert loaded.sources == {"workflow flow@1.0.0": "flow.py", "agent build": "flow.py"}
    assert set(loaded.contracts) == {"build"}


def test_the_files_behind_a_file_are_to_be_watched(project: Project) -> None:
    loaded = project.write(my_agents_py=AGENTS, flow_py=FLOW, x_yaml=YAML).load("flow.py", "x.yaml")
    assert {path.name for path in loaded.files} == {"my_agents.py", "flow.py", "x.yaml"}


def test_a_module_is_found_from_the_folder(project: Project) -> None:
    project.put("pkg/__init__.py", "").put("pkg/flow.py", FLOW).put("my_agents.py", AGENTS)
    assert "workflow flow@1.0.0" in names(project.load("pkg.flow"))


def test_a_file_in_a_package_may_import_relatively(project: Project) -> None:
    relative = FLOW.replace("my_agents", ".my_agents")
    project.put("pkg/__init__.py", "").put("pkg/flow.py", relative)
    project.put("pkg/my_agents.py", AGENTS)
    assert project.load("pkg/flow.py").sources["agent build"] == "pkg/flow.py"


def test_the_file_of_a_package_is_the_package(project: Project) -> None:
    project.put("pkg/__init__.py", FLOW).write(my_agents_py=AGENTS)
    assert "workflow flow@1.0.0" in names(project.load("pkg/__init__.py"))


def test_a_folder_gives_python_and_yaml_but_nothing_deeper(project: Project) -> None:
    project.write(my_agents_py=AGENTS, flow_py=FLOW, other_yaml=YAML)
    project.put("deep/more.yml", YAML)
    assert names(project.load(".")) == [
        "agent build",
        "workflow flow@1.0.0",
        "workflow other@1.0.0",
    ]


def test_a_folder_is_read_without_its_tests_and_other_yaml(project: Project) -> None:
    aside = {"test_flow_py": "1/0", "conftest_py": "1/0", "compose_yaml": "services: {}\n"}
    assert names(project.write(my_agents_py=AGENTS, **aside).load(".")) == ["agent build"]


def test_what_several_modules_show_is_found_once(project: Project) -> None:
    project.write(my_agents_py=AGENTS, flow_py=FLOW)
    assert names(project.load("flow.py", "flow", ".")) == ["agent build", "workflow flow@1.0.0"]


def test_a_file_named_like_a_standard_module_is_read_all_the_same(project: Project) -> None:
    standard = sys.modules["types"]
    assert names(project.write(types_py=AGENTS).load("types.py")) == ["agent build"]
    assert sys.modules["types"] is standard


def test_a_file_with_dots_in_its_name_is_read(project: Project) -> None:
    assert names(project.put("my.flow.py", AGENTS).load("my.flow.py")) == ["agent build"]


def test_objects_that_refuse_to_be_looked_at_are_no_agents(project: Project) -> None:
    shy = "class Shy:\n    def __getattr__(self, name):\n        raise RuntimeError(name)\n"
    project.write(shy_py=f"{shy}\nshy = Shy()\n{AGENTS}")
    assert names(project.load("shy.py")) == ["agent build"]


# --- again --------------------------------------------------------------------------------------


def test_loading_again_gives_what_stands_there_now(project: Project) -> None:
    project.write(my_agents_py=AGENTS, flow_py=FLOW).load("flow.py")
    project.write(my_agents_py=AGENTS.replace('"build"', '"write"'))
    assert names(project.load("flow.py")) == ["agent write", "workflow flow@1.0.0"]


def test_a_broken_edit_leaves_the_last_good_modules(project: Project) -> None:
    project.write(my_agents_py=AGENTS, flow_py=FLOW).load("flow.py")
    good = sys.modules["flow"], sys.modules["my_agents"]
    project.write(flow_py=f"{FLOW}\nimport helper_that_is_new\n1/0\n", helper_that_is_new_py="")
    project.fails("flow.py")
    assert (sys.modules["flow"], sys.modules["my_agents"]) == good
    assert "helper_that_is_new" not in sys.modules


def test_another_project_with_the_same_names_takes_their_place(project: Project) -> None:
    project.write(my_agents_py=AGENTS, flow_py=FLOW).load("flow.py")
    other = Project(project.root / "other")
    other.root.mkdir()
    other.write(my_agents_py=AGENTS.replace('"build"', '"write"'), flow_py=FLOW)
    assert names(other.load("flow.py")) == ["agent write", "workflow flow@1.0.0"]


def test_modules_of_others_are_left_alone(project: Project) -> None:
    before = {name: sys.modules[name] for name in ("stagewright.domain.builder", "yaml", __name__)}
    project.write(my_agents_py=AGENTS).load("my_agents.py")
    project.load("my_agents.py")
    assert {name: sys.modules[name] for name in before} == before


def test_our_own_modules_are_never_replaced(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "stagewright.domain.diagram"
    monkeypatch.delitem(sys.modules, name, raising=False)
    project.fails(name)
    imported = sys.modules[name]
    project.fails(name)
    assert sys.modules[name] is imported


def test_no_bytecode_is_left_that_could_be_stale(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    project.write(my_agents_py=AGENTS).load("my_agents.py")
    assert not (project.root / "__pycache__").exists()
    assert not sys.dont_write_bytecode


# --- what goes wrong ----------------------------------------------------------------------------


FORMS = "Give a module (a.b), a .py, .yaml or .yml file, or a folder."
BROKEN_FILES: dict[str, tuple[str, str, str]] = {
    "it raises": (
        "\n1/0\n",
        "{file}: it raised ZeroDivisionError: division by zero ({file}, line 2).",
        "Correct the code there.",
    ),
    "it is no Python": (
        "x = = 1\n",
        "{file}, line 1: invalid syntax.",
        "Correct the syntax there.",
    ),
    "it imports what is not there": (
        "import not_there\n",
        "{file}: it raised ModuleNotFoundError: No module named 'not_there' ({file}, line 1).",
        "Correct the code there.",
    ),
    "it leaves": (
        "import sys\nsys.exit(3)\n",
        "{file}: it raised SystemExit: 3 ({file}, line 2).",
        "Correct the code there.",
    ),
}


@pytest.mark.parametrize("case", BROKEN_FILES)
def test_a_broken_file_is_told_with_the_line(project: Project, case: str) -> None:
    text, message, remedy = BROKEN_FILES[case]
    found = project.write(broken_py=text).fails("broken.py")
    assert found.message == message.format(file=project.root / "broken.py")
    assert found.remedy == remedy


@pytest.mark.parametrize(
    ("target", "message", "remedy"),
    [
        ("gone.py", "gone.py: there is no file {root}/gone.py.", FORMS),
        ("gone.yaml", "gone.yaml: there is no file {root}/gone.yaml.", FORMS),
        ("a/b", "a/b: it is no module and there is no such path.", FORMS),
        (
            "gone.flow",
            "gone.flow: there is no module 'gone'.",
            "Give a module that can be imported from {root}, or a path.",
        ),
    ],
)
def test_a_target_that_is_not_there_is_told(
    project: Project, target: str, message: str, remedy: str
) -> None:
    found = project.fails(target)
    assert found.message == message.format(root=project.root)
    assert found.remedy == remedy.format(root=project.root)


def test_a_file_that_is_no_text_is_told(project: Project) -> None:
    (project.root / "x.yaml").write_bytes(b"\xff\xfe\xff")
    found = project.fails("x.yaml")
    assert found.message.startswith("x.yaml: it cannot be read: 'utf-8' codec")
    assert found.remedy == "Use UTF-8."


def test_nothing_found_lists_what_was_looked_at(project: Project) -> None:
    found = project.write(a_py="x = 1", b_py="y = 1").fails(".")
    assert found.message == ".: no workflow and no agent found; looked at: a.py, b.py."
    assert found.remedy.startswith("Define a Workflow or an @agent function at module level")
    assert "no target: no workflow" in project.fails().message


def test_namesakes_are_told_with_all_their_places(project: Project) -> None:
    project.write(a_py=AGENTS, b_py=AGENTS, x_yaml=YAML, y_yaml=YAML)
    found = project.fails(".")
    assert found.message == (
        "agent build: found more than once: agent build in a.py, agent build in b.py,"
        " workflow other@1.0.0 in x.yaml, workflow other@1.0.0 in y.yaml."
    )
    assert found.remedy == "Rename one, or load fewer targets."


def test_two_versions_of_a_workflow_are_no_namesakes(project: Project) -> None:
    project.write(x_yaml=YAML, y_yaml=f"{YAML}version: 1.1.0\n")
    assert names(project.load(".")) == ["workflow other@1.0.0", "workflow other@1.1.0"]


def test_yaml_is_checked_against_the_agents_beside_it(project: Project) -> None:
    project.write(my_agents_py=AGENTS, other_yaml=YAML.replace("^1", "^2"))
    found = project.fails(".")
    assert isinstance(found, DefinitionError)
    (problem,) = found.found
    assert problem.message == "It requires build@^2, but the agent has version 1.0.0."
    assert problem.path == "other.yaml, line 5, stages.0.agent"


def test_contracts_known_elsewhere_are_checked_too(project: Project) -> None:
    project.write(other_yaml=YAML)
    with pytest.raises(DefinitionError, match="has version 2"):
        project.load("other.yaml", build=Contract(name="build", version="2.0.0"))


def test_all_broken_definitions_are_told_at_once(project: Project) -> None:
    flow = FLOW.replace("build)", "build, build)") + "empty = Workflow('empty')\n"
    project.write(my_agents_py=AGENTS, flow_py=flow, x_yaml="stages:\n- name: a\n")
    found = project.fails(".")
    assert isinstance(found, DefinitionError)
    assert found.message == "Definition flow, empty, x.yaml: 4 problem(s)"
    assert [problem.path for problem in found.found] == [
        "flow.py, stages.0",
        "flow.py, stages",
        "x.yaml, line 1, name",
        "x.yaml, line 2, stages.0.agent",
    ]
