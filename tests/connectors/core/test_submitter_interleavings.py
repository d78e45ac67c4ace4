"""Two connectors submit the same job, and whatever may happen to them and to AWS happens, in any order."""

import asyncio
from typing import TYPE_CHECKING, Any, cast

from hypothesis import HealthCheck, given, settings, strategies

from flytekit_aws_batch.core import waves
from flytekit_aws_batch.core.definitions import Definitions
from flytekit_aws_batch.core.settings import Settings
from flytekit_aws_batch.core.storage import Storage
from flytekit_aws_batch.core.submitter import Submission, Submitter
from tests.connectors.core.interleaving import FATES, Account, HeldAws, turns
from tests.connectors.core.job_requests import planned, request

if TYPE_CHECKING:
    from flytekit_aws_batch.core.aws import Aws

LEASE = 60.0
# botocore gives a call up after that: 3 s to connect, 10 s to read.
LONGEST_CALL = 13.0
PLAN = planned(request())


class Connector:
    """One process of the connector, as often as it is started."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.start()

    def start(self) -> None:
        self.way = HeldAws(self.account, Settings(lease_seconds=LEASE))
        aws = cast("Aws", self.way)
        self.submitter = Submitter(aws, Storage(aws), Definitions(aws))
        self.submission = Submission(waves.first(PLAN))
        self.go_on()

    def go_on(self) -> None:
        self.task = asyncio.ensure_future(self.submitter.advance(PLAN, self.submission, float("inf")))

    async def crash(self) -> None:
        """Lose all that the process knew."""
        self.task.cancel()
        await turns()
        self.start()

    async def cancel(self) -> None:
        """Lose whoever waited for it, as when propeller does no longer: the process lives on, and is asked again."""
        self.task.cancel()
        await turns()
        self.go_on()


class Machine:
    """Draws what happens next."""

    def __init__(self, data: strategies.DataObject) -> None:
        self.data = data
        lags = strategies.floats(0, LEASE / 2 - LONGEST_CALL - 2)
        self.account = Account(lambda: data.draw(lags))
        self.connectors = [Connector(self.account), Connector(self.account)]

    async def step(self) -> None:
        await turns()
        action = self.data.draw(strategies.sampled_from(["settle", "settle", "settle", "time", "crash", "cancel"]))
        connector = self.connectors[self.data.draw(strategies.integers(0, 1))]
        if action == "time":
            await self.pass_time(self.data.draw(strategies.sampled_from([0.3, 2.0, 9.0, 31.0, 61.0, 100.0])))
        elif connector.task.done():
            return
        elif action == "settle":
            self.settle(connector)
        else:
            self.reach(connector, keep=action == "cancel")
            await (connector.crash() if action == "crash" else connector.cancel())

    def settle(self, connector: Connector) -> None:
        if connector.way.calls:
            connector.way.settle(self.data.draw(strategies.sampled_from(FATES)))

    def reach(self, connector: Connector, *, keep: bool) -> None:
        """Whether a call that nobody waits for any more has reached AWS."""
        waiting = connector.way.waiting
        if waiting is None or waiting.until is not None or (keep and waiting.operation == "submit_job"):
            # What the living process sent, it hears of when it is asked again.
            return
        if self.data.draw(strategies.booleans()):
            connector.way.settle("done")

    async def pass_time(self, seconds: float) -> None:
        """Let time go by, in which no call lasts longer than calls do."""
        end = self.account.now + seconds
        while True:
            for connector in self.connectors:
                if self.due(connector) <= self.account.now and connector.way.calls:
                    connector.way.settle(self.data.draw(strategies.sampled_from(FATES)))
                connector.way.wake()
            await turns()
            if self.account.now >= end:
                return
            self.account.now = max(self.account.now, min(end, *(self.due(each) for each in self.connectors)))

    @staticmethod
    def due(connector: Connector) -> float:
        """When what a connector waits for comes to its end by itself."""
        waiting = connector.way.waiting
        if waiting is None:
            return float("inf")
        return waiting.since + LONGEST_CALL if waiting.until is None else waiting.until

    async def calm(self) -> None:
        """Let everything go well until both are done."""
        for _ in range(400):
            await turns()
            if all(connector.task.done() for connector in self.connectors):
                return
            for connector in self.connectors:
                if connector.way.calls:
                    connector.way.settle("done")
                connector.way.wake()
            await turns()
            if not any(connector.way.calls for connector in self.connectors):
                self.account.now = max(self.account.now, min(self.due(each) for each in self.connectors))
        raise AssertionError("it is not submitted in the end")

    async def run(self, steps: int) -> None:
        for _ in range(steps):
            await self.step()
            assert len(self.account.jobs) <= 1, "never two"
        await self.calm()
        (job,) = self.account.jobs
        assert not job.terminated
        assert [connector.submission.wave.job for connector in self.connectors] == [job.id] * 2
        for connector in self.connectors:
            await connector.task


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=strategies.data(), steps=strategies.integers(1, 60))
def test_there_is_one_job_whatever_happens(data: strategies.DataObject, steps: int) -> None:
    asyncio.run(_run(data, steps))


async def _run(data: Any, steps: int) -> None:  # noqa: ANN401 - hypothesis gives its type no name that it exports
    await Machine(data).run(steps)
