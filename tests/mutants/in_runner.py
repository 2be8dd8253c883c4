"""Bugs in those who run agents."""

from __future__ import annotations

from tests.mutants.record import Planted

IN_RUNNER = (
    Planted(
        "forgets a result whose hand-in failed",
        "application/runner_claims.py",
        "            self._ready[:0] = ready\n",
        "            for run, _ in ready:\n                self._settled(run)\n",
        "application",
    ),
    Planted(
        "lets go of a result before it is written",
        "application/runner_claims.py",
        "        wish = None if claim is None else Wish(claim)\n",
        "        wish = None if claim is None else Wish(claim)\n"
        "        leases = [run.lease for run, _ in ready]\n"
        "        await self._queue.release(leases, lost=False, now_ms=self._clock.now_ms())\n",
        "application",
    ),
    Planted(
        "never takes the lowest priority first, so that it starves",
        "application/runner_claims.py",
        "lowest_first = self._calls % LOWEST_FIRST_EVERY == LOWEST_FIRST_EVERY - 1",
        "lowest_first = self._calls < 0",
        "application",
    ),
    Planted(
        "claims more than it has places for",
        "application/runner_roster.py",
        "min(served.limit - served.running, most)",
        "min(served.limit, most)",
        "application",
    ),
    Planted(
        "drops results that lost their races",
        "application/runner_handover.py",
        "        if lost:\n",
        "        if not lost:\n",
        "application",
    ),
    Planted(
        "keeps what it remembers after a hand-in whose outcome is unknown",
        "application/runner_handover.py",
        "            self._lives.clear()  # nobody knows what took effect\n",
        "",
        "application",
    ),
    Planted(
        "hands in although its lease was refused",
        "application/runner.py",
        "if run.refused is None and error is None and not worker.cancelled():",
        "if error is None and not worker.cancelled():",
        "application",
    ),
    Planted(
        "does not hear that a lease was refused",
        "application/runner_heartbeat.py",
        "                if expires_at_ms is None:",
        "                if expires_at_ms == 0:",
        "application",
    ),
    Planted(
        "renews leases after they have run out",
        "application/runner_heartbeat.py",
        "return self._lease_s / 3",
        "return self._lease_s * 3",
        "application",
    ),
    Planted(
        "stores a big output after the result that refers to it",
        "application/runner_work.py",
        '        hash_ = await patiently(self._channels.clock, "storing an output", put)\n',
        '        hash_ = __import__("hashlib").sha256(body).hexdigest()\n'
        '        __import__("asyncio").ensure_future(put())\n',
        "application",
    ),
)
