"""Five hundred tasks at the same time, while the connector is killed over and over."""

import asyncio
import os
import random
from pathlib import Path

import pytest
from flyteidl.core.execution_pb2 import TaskExecution

from tests.connectors.flytekit.proofs.account import LIVE, ProofAccount, doubled
from tests.connectors.flytekit.proofs.conftest import MakeService
from tests.connectors.flytekit.proofs.propeller import Node, Propeller
from tests.connectors.flytekit.proofs.service import ConnectorService
from tests.connectors.flytekit.proofs.templates import container

TASKS = 500
KILLS = 20
# A third of what a cluster has: a request may take a quarter of it (core/submitter.py).
LEASE_SECONDS = 20


async def _kill_now_and_then(service: ConnectorService, chance: random.Random) -> None:
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.05, 1.2))
        service.kill()
        await service.start()


async def _one(propeller: Propeller, number: int, first: asyncio.Future[None], after: float) -> Node:
    node = Node(name=f"n{number}")
    await first
    await asyncio.sleep(after)
    template = container(f"nap-{number}", "sleep", "20")
    await propeller.run(template, node, most_attempts=100)
    return node


async def _all(service: ConnectorService, prefix: str, execution: str, seed: int) -> list[Node]:
    chance = random.Random(seed)  # noqa: S311 - nothing secret is made of it
    await service.start()
    begin: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    async with Propeller(service.address, prefix, execution, pause=5) as propeller:
        # Over a minute and a half: about as long as the kills take, so that they meet tasks in every state.
        tasks = [asyncio.create_task(_one(propeller, number, begin, chance.uniform(0, 90))) for number in range(TASKS)]
        begin.set_result(None)
        await _kill_now_and_then(service, chance)
        return await asyncio.gather(*tasks)


def test_no_task_is_submitted_twice_however_often_the_connector_is_killed(
    proofs: ProofAccount, service: MakeService, request: pytest.FixtureRequest
) -> None:
    execution = "killed"
    one = service(lease_seconds=LEASE_SECONDS)
    nodes = asyncio.run(_all(one, proofs.prefix(request.node.name), execution, seed=6))
    assert {node.resource.phase for node in nodes} == {TaskExecution.SUCCEEDED}, one.printed()[-2000:]
    jobs = proofs.jobs(execution)
    assert not doubled(jobs)
    # One job a task: what was created again after its answer was lost found the job that there was.
    assert len(jobs) == TASKS
    # It was put to the test: answers were lost, and creates were repeated.
    assert sum(node.attempts for node in nodes) > TASKS
    assert proofs.most_in_a_second("DescribeJobs") <= 15
    assert proofs.most_in_a_second("SubmitJob") < 50


def test_500_tasks_at_once_are_asked_after_a_hundred_at_a_time(
    proofs: ProofAccount, service: MakeService, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    execution = "many"
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    nodes = [Node(name=f"n{number}") for number in range(TASKS)]

    def all_are_live() -> bool:
        return sum(job["status"] in LIVE for job in proofs.jobs(execution)) == TASKS

    async def run() -> None:
        one = service()
        await one.start()
        async with Propeller(one.address, proofs.prefix(request.node.name), execution, pause=3) as propeller:
            # They wait until all of them are there.
            template = container("wait", "sh", "-c", f"read line < {gate}")
            tasks = [asyncio.create_task(propeller.run(template, node)) for node in nodes]
            while not await asyncio.to_thread(all_are_live):
                assert not any(task.done() for task in tasks), "one ended before all had begun"
                await asyncio.sleep(1)
            with await asyncio.to_thread(gate.open, "w") as opened:
                opened.write("\n" * TASKS)
                opened.flush()
                await asyncio.gather(*tasks)

    asyncio.run(run())
    assert {node.resource.phase for node in nodes} == {TaskExecution.SUCCEEDED}
    jobs = proofs.jobs(execution)
    assert len(jobs) == TASKS
    assert not doubled(jobs)
    traffic = proofs.traffic()
    assert proofs.most_in_a_second("SubmitJob") < 50
    assert proofs.most_in_a_second("DescribeJobs") <= 15
    # Propeller asked each of them every few seconds; Batch heard of it in few calls, each of many jobs.
    assert max(map(int, traffic["jobsPerDescribe"])) > 20
    assert traffic["operations"]["DescribeJobs"]["calls"] < TASKS
