"""A bulk job whose server is killed in the midst of it: another goes on without being asked."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from stagewright.sync import Stagewright
from stagewright.testing.servers import RedisServer
from tests.processes import Member, until

COUNT = 600
TRIES = 5
CHANGES = {"WORKFLOW_PAUSED", "WORKFLOW_RESUMED"}
DEFINITION = {"name": "job", "stages": [{"name": "later", "kind": "wait", "signal": "go"}]}
TOKEN = {"STAGEWRIGHT_TOKEN": "sesame"}


def server(name: str, url: str, folder: Path) -> Member:
    return Member(name, ["serve", "--url", url, "--port", "0"], TOKEN, folder)


def standing(url: str) -> list[str]:
    """Workflows that wait."""
    with Stagewright(url) as client:
        client.register(DEFINITION)
        return [client.start("job").workflow_id for _ in range(COUNT)]


def begun(url: str, ids: list[str], action: str) -> str:
    with Stagewright(url) as client:
        return str(client.bulk(action, ids=ids, by="ann", reason="later").job_id)


def stored(url: str, job_id: str) -> Any:
    """How far the job is; who only lists jobs does no work on them."""
    with Stagewright(url) as client:
        return next(job for job in client.bulk_jobs() if job.job_id == job_id)


def cut_off(url: str, ids: list[str], folder: Path) -> tuple[str, int]:
    """Kill servers amid their jobs until one job is left undone; which, and how many were begun."""
    for number in range(TRIES):
        job_id = begun(url, ids, ("pause", "resume")[number % 2])
        first = server(f"first-{number}", url, folder).start()
        until(lambda job_id=job_id: stored(url, job_id).done > 0)
        first.kill()
        if stored(url, job_id).status == "running":
            return job_id, number + 1
    raise AssertionError("every kill came too late to prove anything")


def test_a_job_survives_the_kill_of_its_server_and_nothing_is_done_twice(tmp_path: Path) -> None:
    with RedisServer(appendonly="always") as redis:
        ids = standing(redis.url)
        job_id, jobs = cut_off(redis.url, ids, tmp_path)
        second = server("second", redis.url, tmp_path).start()
        try:
            until(lambda: stored(redis.url, job_id).status == "done", limit_s=60)
        finally:
            second.stop()
        with Stagewright(redis.url) as client:
            view = client.bulk_job(job_id)
            changes = Counter(changes_of(client, id_) for id_ in ids[:: COUNT // 100])
        assert (view.done, view.changed, view.refused) == (COUNT, COUNT, 0)
        assert set(changes) == {jobs}, "each job changed each workflow once"


def changes_of(client: Any, workflow_id: str) -> int:
    """How often the log says that it was paused or resumed."""
    records = client.log(workflow_id).records
    return sum(e["type"] in CHANGES for record in records for e in record["events"])
