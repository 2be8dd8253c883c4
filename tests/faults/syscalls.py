"""What a traced redis-server did with its clients and its append-only file, in order."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import hiredis

CALLS = "read,recvfrom,write,writev,sendto,sendmsg,fsync,fdatasync,sync_file_range,pwrite64"
REMEDY = (
    "The order of answers and syncs cannot be seen without a tracer. Install strace, and allow "
    "tracing of child processes: `sysctl kernel.yama.ptrace_scope=1`, or for a container "
    "`--cap-add=SYS_PTRACE` or a seccomp profile that permits ptrace."
)
ENDED_S = 20.0

_WHOLE = re.compile(r"^(\d+) +(\w+)\((\d+)<([^>]*)>(.*)\) += (-?\d+)")
_BEGUN = re.compile(r"^(\d+) +(\w+)\((\d+)<([^>]*)>(.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+)")
_STRINGS = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_TOKEN = re.compile(rb"(?=([0-9a-f]{32}))")
_READS = ("read", "recvfrom")
_SYNCS = ("fsync", "fdatasync")


def tracer(output: Path) -> tuple[str, ...]:
    """Return the command line that traces what follows it; AssertionError where none may trace."""
    program = shutil.which("strace")
    assert program is not None, f"strace is not on the PATH. {REMEDY}"
    tried = subprocess.run(
        [program, "-D", "-f", "-o", "/dev/null", "true"], capture_output=True, check=False
    )
    assert tried.returncode == 0, f"strace may not trace: {tried.stderr.decode()} {REMEDY}"
    # -D: the tracer is a grandchild, so that the server stays the child that it is without it.
    shown = ("-y", "-xx", "-s", str(2**20), "-e", f"trace={CALLS}")
    return (program, "-D", "-f", *shown, "-o", str(output))


@dataclass(frozen=True, slots=True)
class Call:
    """One system call, where it counts: an answer when it begins, all else when it is done."""

    kind: Literal["asked", "answered", "logged", "synced"]
    where: str
    """The client's socket or the file."""
    data: bytes = b""


def calls(trace: Path, pid: int) -> Iterator[Call]:
    """Read a trace to its end, which comes when the traced process has ended."""
    give_up_s = time.monotonic() + ENDED_S
    while not re.search(rf"^{pid} +\+\+\+ ", tail(trace), re.MULTILINE):
        assert time.monotonic() < give_up_s, f"the trace does not end: {tail(trace)}"
        time.sleep(0.02)
    begun: dict[str, tuple[str, str, str]] = {}
    with trace.open() as lines:
        for line in lines:
            if whole := _WHOLE.match(line):
                yield from _call(*whole.group(2, 4, 5), int(whole[6]))
            elif first := _BEGUN.match(line):
                begun[first[1]] = first.group(2, 4, 5)
                if _answers(*first.group(2, 4)):
                    yield from _call(*first.group(2, 4, 5), 2**31)
            elif (second := _RESUMED.match(line)) and second[1] in begun:
                name, path, arguments = begun.pop(second[1])
                if not _answers(name, path):
                    yield from _call(name, path, arguments + second[3], int(second[4]))


def tail(trace: Path) -> str:
    """Return the last lines."""
    with trace.open("rb") as file:
        file.seek(max(0, trace.stat().st_size - 4_000))
        return file.read().decode(errors="replace")


def _plain(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _answers(name: str, path: str) -> bool:
    return name not in (*_READS, *_SYNCS) and _plain(path).startswith(b"socket:")


def _call(name: str, path: str, arguments: str, result: int) -> Iterator[Call]:
    where = _plain(path).decode()
    data = b"".join(map(_plain, _STRINGS.findall(arguments)))[: max(0, result)]
    if where.startswith("socket:"):
        yield Call("asked" if name in _READS else "answered", where, data)
    elif where.endswith(".incr.aof") and name in _SYNCS and result == 0:
        yield Call("synced", where)
    elif where.endswith(".incr.aof") and name not in (*_READS, *_SYNCS):
        yield Call("logged", where, data)


@dataclass(frozen=True, slots=True)
class Moment:
    """The time from one sync to the next."""

    synced_bytes: int
    """Size of the append-only file at the sync."""
    written_bytes: int
    """And with all that was handed over until the next one."""
    answered: frozenset[str]
    """Tokens in all requests that had been answered before the next sync was done."""


@dataclass
class Evidence:
    """What a trace says of some tokens."""

    early: list[str] = field(default_factory=list)
    """Tokens that a client was told of before they were on the disk."""
    answered: set[str] = field(default_factory=set)
    moments: list[Moment] = field(default_factory=list)


def examine(found: Iterable[Call], tokens: Container[str]) -> Evidence:
    """Follow each token from the request that brings it, through the file, to the answer."""
    evidence, clients = Evidence(), defaultdict(hiredis.Reader)
    asked: dict[str, set[str]] = defaultdict(set)
    logged: set[str] = set()
    safe: set[str] = set()
    synced = written = 0
    seam = b""
    for call in found:
        if call.kind == "asked":
            asked[call.where] |= _named(_changes(clients[call.where], call.data), tokens)
        elif call.kind == "logged":
            logged |= _named(seam + call.data, tokens)
            seam, written = call.data[-31:], written + len(call.data)
        elif call.kind == "synced":
            evidence.moments.append(Moment(synced, written, frozenset(evidence.answered)))
            safe |= logged
            logged, synced = set(), written
        else:
            evidence.answered |= asked[call.where]
            evidence.early += sorted(asked[call.where] - safe)
            asked[call.where] = set()
    return evidence


def _changes(client: hiredis.Reader, data: bytes) -> bytes:
    """Return the calls that change something, of those that are complete now."""
    if data.startswith(b"INFO "):
        return b""  # whoever starts the server asks it in plain words
    client.feed(data)
    changing = []
    while (command := client.gets()) is not False:
        if command[0] == b"FCALL":
            changing.append(b"\n".join(command))
    return b"\n".join(changing)


def _named(data: bytes, tokens: Container[str]) -> set[str]:
    return {name for name in (m[1].decode() for m in _TOKEN.finditer(data)) if name in tokens}
