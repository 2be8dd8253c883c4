"""Distributions of durations, small enough to be sent around with every sign of life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

BUCKETS = 24
"""Bucket b holds durations below 2**b ms (and from 2**(b-1) on); the last holds all from 70 min."""


class Histogram:
    """Counts of durations in doubling buckets, from 1 ms to over an hour."""

    __slots__ = ("counts", "sum_ms")

    def __init__(self) -> None:
        self.counts = [0] * BUCKETS
        self.sum_ms = 0

    def observe(self, duration_ms: int) -> None:
        """Count a duration; one below 0 (clocks differ) counts as 0."""
        duration_ms = max(duration_ms, 0)
        self.counts[min(duration_ms.bit_length(), BUCKETS - 1)] += 1
        self.sum_ms += duration_ms

    @property
    def count(self) -> int:
        """How many were observed."""
        return sum(self.counts)

    def quantile_ms(self, share: float) -> int:
        """Return the upper bound of the bucket in which the quantile lies; 0 without durations."""
        wanted = share * self.count
        seen = 0
        for bucket, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                return (1 << bucket) - 1
        return 0

    def add(self, counts: Sequence[int], sum_ms: int) -> None:
        """Add what another process observed."""
        for bucket, count in enumerate(counts[:BUCKETS]):
            self.counts[bucket] += count
        self.sum_ms += sum_ms

    def to_json(self) -> Mapping[str, object]:
        """Return `{"count", "sum_ms", "p50_ms", "p99_ms", "buckets"}`, no empty last buckets."""
        used = max((bucket + 1 for bucket, count in enumerate(self.counts) if count), default=0)
        return {
            "count": self.count,
            "sum_ms": self.sum_ms,
            "p50_ms": self.quantile_ms(0.5),
            "p99_ms": self.quantile_ms(0.99),
            "buckets": self.counts[:used],
        }
