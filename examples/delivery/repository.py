"""A bare git repository, as the agents use it. Everything here blocks; agents call it in threads.

Nothing is ever checked out inside the repository: work happens in worktrees elsewhere, and `main`
moves by compare-and-set. So deliveries that share a repository need no lock, and none that is
killed leaves one behind.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from uuid import uuid4

from examples.delivery.errors import MergeConflict, ToolFailed

MAIN = "main"
GIT_TIMEOUT_S = 60
# Nothing of the user's own git: no hooks, no signing, no editor, no prompt.
_SETTINGS = (
    "user.name=Delivery",
    "user.email=delivery@localhost",
    "gc.auto=0",
    "core.hooksPath=/dev/null",
    "advice.detachedHead=false",
)
_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


class Repository:
    """The git repository at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def ensure(cls, path: Path) -> Repository:
        """Return the repository at `path`, made with an empty first commit if it is missing."""
        repository = cls(path)
        if path.exists():
            return repository
        # Made aside and moved, so that a killed attempt leaves no half-made repository.
        fresh = cls(path.with_name(f".{path.name}.{uuid4().hex[:8]}"))
        fresh.path.mkdir(parents=True)
        fresh._git("init", "--quiet", "--bare", f"--initial-branch={MAIN}", cwd=fresh.path)
        tree = fresh._git("mktree", stdin="")
        first = fresh._git("commit-tree", tree, "-m", "An empty beginning")
        fresh.set_branch(MAIN, first)
        try:
            fresh.path.rename(path)
        except OSError:  # somebody else was faster
            shutil.rmtree(fresh.path)
        return repository

    def head(self, branch: str = MAIN) -> str:
        """The commit that `branch` stands on."""
        return self._git("rev-parse", "--verify", f"refs/heads/{branch}")

    def set_branch(self, branch: str, commit: str) -> None:
        """Let `branch` stand on `commit`, whatever it stood on before."""
        self._git("update-ref", f"refs/heads/{branch}", commit)

    def advance(self, branch: str, commit: str, *, expected: str) -> bool:
        """Move `branch` to `commit` if it still stands on `expected`; False when it does not."""
        ref = f"refs/heads/{branch}"
        return self._run("update-ref", ref, commit, expected).returncode == 0

    def delete_branch(self, branch: str) -> None:
        """Forget `branch`; its commits stay as long as another branch holds them."""
        self._git("update-ref", "-d", f"refs/heads/{branch}")

    def holds(self, branch: str, commit: str) -> bool:
        """Tell whether `commit` is part of the history of `branch`."""
        ancestry = self._run("merge-base", "--is-ancestor", commit, f"refs/heads/{branch}")
        return ancestry.returncode == 0

    def find(self, branch: str, text: str) -> str | None:
        """The newest commit on `branch` whose message contains `text`."""
        ref = f"refs/heads/{branch}"
        found = self._git("log", "-1", "--format=%H", "--fixed-strings", f"--grep={text}", ref)
        return found or None

    def changed_files(self, old: str, new: str) -> tuple[str, ...]:
        """Paths that differ between two commits."""
        return tuple(self._git("diff", "--name-only", old, new).splitlines())

    def export(self, commit: str, folder: Path) -> None:
        """Write the files of `commit` into `folder`."""
        archive = subprocess.run(
            self._command("archive", "--format=tar", commit),
            capture_output=True,
            check=False,
            timeout=GIT_TIMEOUT_S,
            env=_environment(),
        )
        if archive.returncode != 0:
            raise ToolFailed("git archive", archive.stderr.decode(errors="replace").strip())
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")

    def add_worktree(self, folder: Path, commit: str) -> Path:
        """A worktree of `commit`, on no branch, at `folder`; delete it and `prune` afterwards."""
        self._git("worktree", "add", "--quiet", "--force", "--detach", str(folder), commit)
        return folder

    def prune(self) -> None:
        """Forget worktrees whose folders are gone."""
        self._git("worktree", "prune")

    def commit_all(self, worktree: Path, message: str) -> str:
        """Commit everything in `worktree`; without a change, the commit it already stands on."""
        self._git("add", "--all", "--force", ".", cwd=worktree)
        if self._git("status", "--porcelain", cwd=worktree):
            self._git("commit", "--quiet", "--no-verify", "-m", message, cwd=worktree)
        return self._git("rev-parse", "HEAD", cwd=worktree)

    def merge(self, worktree: Path, commit: str, *, branch: str, message: str) -> str:
        """Merge `commit` into what `worktree` stands on; `MergeConflict` names the files."""
        done = self._run("merge", "--no-ff", "--no-edit", "-m", message, commit, cwd=worktree)
        if done.returncode == 0:
            return self._git("rev-parse", "HEAD", cwd=worktree)
        files = self._git("diff", "--name-only", "--diff-filter=U", cwd=worktree).splitlines()
        if not files:
            raise ToolFailed("git merge", (done.stderr or done.stdout).strip())
        self._git("merge", "--abort", cwd=worktree)
        raise MergeConflict(branch, files)

    def _git(self, *arguments: str, cwd: Path | None = None, stdin: str | None = None) -> str:
        done = self._run(*arguments, cwd=cwd, stdin=stdin)
        if done.returncode != 0:
            raise ToolFailed(f"git {arguments[0]}", (done.stderr or done.stdout).strip())
        return done.stdout.strip()

    def _run(
        self, *arguments: str, cwd: Path | None = None, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                self._command(*arguments, in_worktree=cwd is not None),
                cwd=cwd,
                input=stdin,
                capture_output=True,
                text=True,
                check=False,
                timeout=GIT_TIMEOUT_S,
                env=_environment(),
            )
        except FileNotFoundError as error:
            raise ToolFailed("git", f"{error}; install git") from error
        except subprocess.TimeoutExpired as error:
            raise ToolFailed(f"git {arguments[0]}", f"no end after {GIT_TIMEOUT_S} s") from error

    def _command(self, *arguments: str, in_worktree: bool = False) -> list[str]:
        settings = [part for setting in _SETTINGS for part in ("-c", setting)]
        place = [] if in_worktree else [f"--git-dir={self.path}"]
        return ["git", *settings, *place, *arguments]


def _environment() -> dict[str, str]:
    """Our own environment without the variables that would point git somewhere else."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return own | _ENVIRONMENT
