"""What every blob store must do; that blobs go with their workflow stands with `forget`."""

from __future__ import annotations

import hashlib

import pytest

from stagewright.ports.backend import Backend
from stagewright.testing.clock import VirtualClock
from stagewright.testing.contracts.harness import Harness
from stagewright.testing.contracts.samples import committed, start, workflow

ONE, TWO = workflow(1, 1), workflow(2, 3)
BODIES = {"empty": b"", "binary": bytes(range(256)), "5 MiB": b"0123456789abcdef" * 327_680}


class BlobStoreContract:
    """Bodies are kept by content, each for one workflow."""

    @pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
    async def test_a_body_is_kept_byte_for_byte_under_its_hash(
        self, backend: Backend, body: bytes
    ) -> None:
        hash_ = await backend.blobs.put(ONE, body)
        assert hash_ == hashlib.sha256(body).hexdigest()
        assert await backend.blobs.get(ONE, hash_) == body

    async def test_an_unknown_hash_is_absent(self, backend: Backend) -> None:
        await backend.blobs.put(ONE, b"body")
        assert await backend.blobs.get(ONE, "00" * 32) is None

    async def test_a_blob_belongs_to_one_workflow(self, backend: Backend) -> None:
        hash_ = await backend.blobs.put(ONE, b"body")
        assert await backend.blobs.get(TWO, hash_) is None
        assert await backend.blobs.get(workflow(3, 1), hash_) is None

    async def test_putting_the_same_body_again_changes_nothing(self, backend: Backend) -> None:
        first, second = [await backend.blobs.put(ONE, b"body") for _ in range(2)]
        assert first == second
        assert await backend.blobs.get(ONE, first) == b"body"

    async def test_a_workflow_may_have_many_blobs(self, backend: Backend) -> None:
        hashes = [await backend.blobs.put(ONE, b"%d" % number) for number in range(20)]
        bodies = [await backend.blobs.get(ONE, hash_) for hash_ in hashes]
        assert bodies == [b"%d" % number for number in range(20)]

    async def test_a_blob_may_be_put_before_its_workflow_begins(
        self, backend: Backend, clock: VirtualClock
    ) -> None:
        hash_ = await backend.blobs.put(ONE, b"input")
        await committed(backend, clock, start(ONE))
        assert await backend.blobs.get(ONE, hash_) == b"input"

    async def test_blobs_outlive_the_backend_if_it_is_durable(self, harness: Harness) -> None:
        hash_ = await harness.backend.blobs.put(ONE, b"body")
        reopened = await harness.restart()
        assert await reopened.blobs.get(ONE, hash_) == (b"body" if harness.durable else None)
