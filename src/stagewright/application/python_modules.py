"""Importing users' Python files again and again, each time with what stands in them now."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType

from stagewright.domain.errors import LoadError

_MARK = "__imported_by_stagewright__"
"""Set on the modules that were imported here, so that the next import replaces just these."""

_OURSELVES = __name__.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Importable:
    """A module to import: its dotted name, the folder that makes it importable, and its file."""

    name: str
    root: Path
    file: Path | None = None


def of_file(file: Path) -> Importable:
    """The module of a file: inside its package if it has one, so that relative imports work."""
    root, parts = file.parent, [file.stem]
    while (root / "__init__.py").exists():
        root, parts = root.parent, [root.name, *parts]
    if parts[-1] == "__init__":
        parts.pop()
    return Importable(".".join(parts), root, file)


@dataclass(frozen=True, slots=True)
class _Scope:
    """Which modules belong to the users' code: beside a wanted file, or in a wanted package."""

    roots: frozenset[Path]
    packages: frozenset[str]

    def owns(self, name: str, module: ModuleType) -> bool:
        """Whether the module was found in one of the roots or packages."""
        top = name.partition(".")[0]
        file = getattr(module, "__file__", None)
        if not file or top == _OURSELVES:
            return False
        folders = Path(file).resolve().parents
        return top in self.packages or any(
            folders[0] == root or root / top in folders for root in self.roots
        )

    def replaces(self, name: str, module: ModuleType) -> bool:
        """Whether an earlier import of this module must make room."""
        if not getattr(module, "__dict__", {}).get(_MARK):
            return False
        top = name.partition(".")[0]
        taken = any((one / f"{top}.py").exists() or (one / top).is_dir() for one in self.roots)
        return taken or self.owns(name, module)


@dataclass(frozen=True, slots=True)
class Imported:
    """The modules that were wanted, and the files of all the users' modules behind them."""

    modules: tuple[ModuleType, ...]
    files: frozenset[Path]


def import_all(wanted: Sequence[Importable], base: Path) -> Imported:
    """Import the modules anew, with what they import beside them; raises LoadError.

    They may also import what lies in `base`. When one of them fails, everything is as it was.
    """
    if not wanted:
        return Imported((), frozenset())
    roots = frozenset((base, *(one.root for one in wanted)))
    packages = frozenset(one.name.partition(".")[0] for one in wanted if one.file is None)
    scope = _Scope(roots, packages)
    with _fresh(scope), _bytecode_unwritten():
        for root in (base, *sorted(roots - {base})):
            _make_importable(root)
        modules = tuple(_import(one) for one in wanted)
    files = [
        Path(str(module.__file__)).resolve()
        for name, module in list(sys.modules.items())
        if module in modules or scope.owns(name, module)
    ]
    return Imported(modules, frozenset(files))


@contextmanager
def _fresh(scope: _Scope) -> Iterator[None]:
    """Set aside what earlier imports left; bring it back after a failure."""
    before = dict(sys.modules)
    for name in [name for name, module in before.items() if scope.replaces(name, module)]:
        del sys.modules[name]
    try:
        yield
    except BaseException:
        for name in sys.modules.keys() - before.keys():
            if scope.owns(name, sys.modules[name]):
                del sys.modules[name]
        sys.modules.update(before)
        raise
    for name, module in list(sys.modules.items()):
        if before.get(name) is not module and scope.owns(name, module):
            setattr(module, _MARK, True)


@contextmanager
def _bytecode_unwritten() -> Iterator[None]:
    """Cached bytecode cannot tell two edits within one second apart."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _make_importable(root: Path) -> None:
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    importlib.invalidate_caches()


def _import(wanted: Importable) -> ModuleType:
    title = str(wanted.file or wanted.name)
    try:
        return _import_file(wanted) if wanted.file else importlib.import_module(wanted.name)
    except ModuleNotFoundError as error:
        if error.name and f"{wanted.name}.".startswith(f"{error.name}."):
            remedy = f"Give a module that can be imported from {wanted.root}, or a path."
            raise LoadError(title, f"there is no module {error.name!r}.", remedy=remedy) from error
        raise _failed(title, error) from error
    except (Exception, SystemExit) as error:
        raise _failed(title, error) from error


def _import_file(wanted: Importable) -> ModuleType:
    """Import by name if that leads to the file, else under a private name (as for `types.py`)."""
    if wanted.file is not None and "." in wanted.file.stem:
        return _import_privately(wanted)
    found = sys.modules.get(wanted.name)
    spec = found.__spec__ if found else importlib.util.find_spec(wanted.name)
    if spec is not None and spec.origin and Path(spec.origin).resolve() == wanted.file:
        return importlib.import_module(wanted.name)
    return _import_privately(wanted)


def _import_privately(wanted: Importable) -> ModuleType:
    name = f"_stagewright_{wanted.name.replace('.', '_')}"
    loader = SourceFileLoader(name, str(wanted.file))
    spec = ModuleSpec(name, loader, origin=str(wanted.file))
    spec.has_location = True
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def _failed(title: str, error: BaseException) -> LoadError:
    """Say where in the users' code it went wrong: the last line outside of this module."""
    if isinstance(error, SyntaxError):
        place, reason = f"{error.filename}, line {error.lineno}", f"{error.msg}."
        return LoadError(place, reason, remedy="Correct the syntax there.")
    frames = traceback.extract_tb(error.__traceback__)
    last = next((f for f in reversed(frames) if _is_users(f.filename)), None)
    place = f"{last.filename}, line {last.lineno}" if last else title
    what = f"{type(error).__name__}: {error}".rstrip(".")
    return LoadError(title, f"it raised {what} ({place}).", remedy="Correct the code there.")


def _is_users(filename: str) -> bool:
    return (
        filename != __file__ and not filename.startswith("<frozen") and "importlib" not in filename
    )
