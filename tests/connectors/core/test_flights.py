"""Waiting for a call that outlives whoever waits."""

import asyncio
import concurrent.futures
import logging

import pytest

from flytekit_aws_batch.core.flights import landed


def test_who_leaves_does_not_call_off_what_waits_for_a_thread() -> None:
    flight: concurrent.futures.Future[str] = concurrent.futures.Future()

    async def leaves() -> None:
        waiting = asyncio.create_task(landed(flight))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert not await landed(flight, 0)

    asyncio.run(leaves())
    assert not flight.done()


def test_who_left_is_not_told_any_more_as_its_event_loop_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    flight: concurrent.futures.Future[str] = concurrent.futures.Future()
    assert not asyncio.run(landed(flight, 0))
    with caplog.at_level(logging.DEBUG):
        flight.set_result("there")
    assert not caplog.records
    assert asyncio.run(landed(flight))


def test_who_waits_hears_of_an_error_by_looking_only() -> None:
    flight: concurrent.futures.Future[str] = concurrent.futures.Future()
    flight.set_exception(ValueError("no"))
    assert asyncio.run(landed(flight))
    assert isinstance(flight.exception(), ValueError)
