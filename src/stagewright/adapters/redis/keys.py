"""Names of keys and channels: every key of a partition carries the partition's hash tag."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stagewright.domain import ids
from stagewright.domain.errors import ConfigurationError, UsageError

_NAMESPACE = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class PartitionKeys:
    """The keys of one partition: `sw:{p07}:...`, all in one slot of a cluster."""

    number: int
    prefix: str
    marks: str
    """Hash: incarnation, history, begun, commits, token, place, fed, trimmed_at, gone."""
    tasks: str
    """Hash: task id to record and body."""
    queue: str
    """Sorted set: all lanes."""
    leases: str
    """Sorted set: task ids by expiry."""
    timers: str
    """Sorted set: `WORKFLOW|TIMER` by due instant."""
    index: str
    """Sorted set: terms, update times and workflows, in lexical order."""
    feed: str
    """Stream: step records and notes."""
    inbox: str
    """Stream: messages that were not yet applied."""
    letters: str
    """Hash: dead letters."""
    letter_order: str
    """Sorted set: dead letters by time."""
    wake: str
    """Channel of hints."""
    ended: str
    """Channel of the ids of workflows that have ended."""
    alarm: str
    """Channel of instants at which something falls due."""

    @classmethod
    def of(cls, namespace: str, number: int) -> PartitionKeys:
        """Name the keys of a partition."""
        prefix = f"{namespace}:{{p{number:02d}}}:"
        named = (prefix + name for name in _COLLECTIONS)
        return cls(number, prefix, *named)

    def workflow(self, workflow_id: str) -> str:
        """Hash of a workflow: step, snapshot, outputs."""
        return f"{self.prefix}w:{workflow_id}"

    def log(self, workflow_id: str) -> str:
        """List of a workflow's step records."""
        return f"{self.prefix}l:{workflow_id}"

    def notes(self, workflow_id: str) -> str:
        """List of a workflow's newest notes."""
        return f"{self.prefix}n:{workflow_id}"

    def blobs(self, workflow_id: str) -> str:
        """Hash of a workflow's blobs by content hash."""
        return f"{self.prefix}b:{workflow_id}"

    def deltas(self, workflow_id: str) -> str:
        """Channel of a workflow's deltas."""
        return f"{self.prefix}deltas:{workflow_id}"


_COLLECTIONS = (
    "marks",
    "tasks",
    "queue",
    "leases",
    "timers",
    "index",
    "feed",
    "inbox",
    "letters",
    "letter_order",
    "wake",
    "ended",
    "alarm",
)


class Keys:
    """The keys of one namespace."""

    def __init__(self, namespace: str, partitions: int) -> None:
        self.namespace = namespace
        self.partitions = [PartitionKeys.of(namespace, number) for number in range(partitions)]
        self.values = (f"{namespace}:{{kv}}:values", f"{namespace}:{{kv}}:names")

    def of(self, id_: str) -> PartitionKeys:
        """Return the keys of the partition that a workflow, task or letter id names."""
        number = ids.partition_of(id_)
        if number >= len(self.partitions):
            raise UsageError(
                f"{id_} names partition {number}; this namespace has {len(self.partitions)}.",
                remedy="Check the id, the URL and the namespace.",
            )
        return self.partitions[number]

    def knows(self, id_: str) -> bool:
        """Whether an id names a partition of this namespace."""
        try:
            return 0 <= ids.partition_of(id_) < len(self.partitions)
        except ValueError:
            return False

    def registry(self, kind: str) -> tuple[str, str]:
        """Return the hashes of versions and of bodies."""
        prefix = f"{self.namespace}:{{registry}}:{kind}"
        return f"{prefix}:versions", f"{prefix}:bodies"

    @property
    def audit(self) -> tuple[str, str]:
        """Return the hash of audit entries and the sorted set of their places."""
        prefix = f"{self.namespace}:{{audit}}"
        return f"{prefix}:entries", f"{prefix}:places"

    @property
    def all_deltas(self) -> str:
        """Pattern of the channels of all workflows' deltas."""
        return f"{self.namespace}:{{p*}}:deltas:*"


def beside(key: str | bytes | float, name: str) -> str:
    """Return another key with a key's hash tag, and so in its slot."""
    return f"{str(key).partition('}')[0]}}}:{name}"


def partition_count(namespace: str) -> str:
    """Key of the number of partitions, fixed when the namespace was created."""
    return f"{namespace}:{{meta}}:partitions"


def checked_namespace(namespace: str) -> str:
    """Return a namespace that can stand in front of keys; raise ConfigurationError."""
    if _NAMESPACE.fullmatch(namespace):
        return namespace
    raise ConfigurationError(
        "namespace",
        f"{namespace!r} is not usable.",
        remedy="Use 1 to 64 letters, digits, dots, dashes and underscores.",
    )
