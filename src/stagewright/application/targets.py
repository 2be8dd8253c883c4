"""What a target on the command line means: a module, a file or a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stagewright.application.python_modules import Importable, of_file
from stagewright.application.yaml_definitions import looks_like_definition
from stagewright.domain.errors import LoadError

Document = tuple[Path, str]
"""A YAML file and its text."""

_YAML = frozenset({".yaml", ".yml"})
_FORMS = "Give a module (a.b), a .py, .yaml or .yml file, or a folder."


def sort_out(targets: Iterable[str], base: Path) -> tuple[list[Importable], list[Document]]:
    """The modules to import and the YAML documents of all targets, each once; raises LoadError."""
    modules: dict[Importable, None] = {}
    documents: dict[Document, None] = {}
    for target in targets:
        python, yaml = _look(target, base)
        modules.update(dict.fromkeys(python))
        documents.update(dict.fromkeys(yaml))
    return list(modules), list(documents)


def _look(target: str, base: Path) -> tuple[list[Importable], list[Document]]:
    path = (base / target).resolve()
    if path.is_dir():
        return _in_folder(path, base)
    if path.suffix in _YAML:
        return [], [(path, _read(path, target))]
    if path.suffix == ".py":
        _must_exist(path, target)
        return [of_file(path)], []
    if all(part.isidentifier() for part in target.split(".")):
        return [Importable(target, base)], []
    raise LoadError(target, "it is no module and there is no such path.", remedy=_FORMS)


def _in_folder(path: Path, base: Path) -> tuple[list[Importable], list[Document]]:
    """Python files but tests, and YAML files with `stages`; not what lies deeper."""
    files = [file for file in sorted(path.iterdir()) if file.is_file() and not _is_aside(file)]
    python = [of_file(file) for file in files if file.suffix == ".py"]
    yaml = [(file, _read(file, title_of(file, base))) for file in files if file.suffix in _YAML]
    return python, [one for one in yaml if looks_like_definition(one[1], title_of(one[0], base))]


def _is_aside(file: Path) -> bool:
    name = file.stem
    return (
        name.startswith((".", "_", "test_"))
        or name.endswith("_test")
        or name in {"conftest", "setup"}
    )


def _must_exist(path: Path, target: str) -> None:
    if not path.is_file():
        raise LoadError(target, f"there is no file {path}.", remedy=_FORMS)


def _read(path: Path, target: str) -> str:
    _must_exist(path, target)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LoadError(target, f"it cannot be read: {error}.", remedy="Use UTF-8.") from error


def title_of(path: Path, base: Path) -> str:
    """A path as the user would write it."""
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)
