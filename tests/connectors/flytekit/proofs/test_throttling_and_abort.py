"""An AWS that refuses every third call, and an execution that is aborted."""

import asyncio

import pytest
from flyteidl.core.execution_pb2 import TaskExecution

from tests.connectors.flytekit.proofs.account import ACCOUNT, LIVE, ProofAccount, doubled
from tests.connectors.flytekit.proofs.conftest import MakeService
from tests.connectors.flytekit.proofs.propeller import Node, Propeller
from tests.connectors.flytekit.proofs.templates import container
from tests.local.waiting import eventually


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param({"throttle": 0.3}, id="throttled"),
        pytest.param({"throttle": 0.1, "fail": 0.1, "losing": 0.1}, id="failing"),
    ],
)
def test_an_api_that_fails_three_calls_of_ten_fails_no_task_and_doubles_none(
    proofs: ProofAccount, service: MakeService, request: pytest.FixtureRequest, faults: dict[str, float]
) -> None:
    execution = f"faults-{'-'.join(faults)}"
    nodes = [Node(name=f"n{number}") for number in range(100)]

    async def run() -> None:
        one = service(lease_seconds=20)
        await one.start()
        proofs.aws.act("batch", account=ACCOUNT, seed=6, **faults)
        async with Propeller(one.address, proofs.prefix(request.node.name), execution) as propeller:
            template = container("nap", "sleep", "2")
            await asyncio.gather(*(propeller.run(template, node) for node in nodes))

    asyncio.run(run())
    # The first attempt of each, without an answer that is an error.
    assert [(node.attempts, node.unanswered) for node in nodes] == [(1, 0)] * len(nodes)
    assert {node.resource.phase for node in nodes} == {TaskExecution.SUCCEEDED}
    operations = proofs.traffic()["operations"]
    assert operations["SubmitJob"]["calls"] > operations["SubmitJob"]["served"] + operations["SubmitJob"]["lost"]
    proofs.aws.act("batch", account=ACCOUNT, reset=True)
    jobs = proofs.jobs(execution)
    assert len(jobs) == len(nodes)
    assert not doubled(jobs)


def test_an_aborted_execution_leaves_no_job(
    proofs: ProofAccount, service: MakeService, request: pytest.FixtureRequest
) -> None:
    execution = "aborted"
    nodes = [Node(name=f"n{number}") for number in range(20)]

    async def run() -> None:
        one = service()
        await one.start()
        async with Propeller(one.address, proofs.prefix(request.node.name), execution) as propeller:
            template = container("nap", "sleep", "600")
            await asyncio.gather(*(propeller.create(template, node) for node in nodes))
            assert len([job for job in proofs.jobs(execution) if job["status"] in LIVE]) == len(nodes)
            await asyncio.gather(*(propeller.delete(node) for node in nodes))
            # As Flyte may, and on a connector that has forgotten everything.
            one.kill()
            await one.start()
            await asyncio.gather(*(propeller.delete(node) for node in nodes))
            for node in nodes:
                assert (await propeller.get(node)).phase == TaskExecution.FAILED

    asyncio.run(run())
    eventually(lambda: not [job for job in proofs.jobs(execution) if job["status"] in LIVE], "all jobs have ended")
    reasons = {job["statusReason"] for job in proofs.jobs(execution)}
    assert reasons == {"Flyte aborted the task"}
