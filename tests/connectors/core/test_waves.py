"""What of a run is submitted next."""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings, strategies

from flytekit_aws_batch.core import waves
from flytekit_aws_batch.core.plan import Plan, Wave
from flytekit_aws_batch.core.ranges import from_ranges, to_ranges
from flytekit_aws_batch.core.spec import ArraySpec
from flytekit_aws_batch.core.waves import Fault, Result
from tests.connectors.core.job_requests import planned, request

OWN = Fault(reason="exit code 1")
FINAL = Fault(reason="ValueError", final=True)
RECLAIMED = Fault(reason="Host EC2 (instance i-1) terminated.", reclaimed=True)


def plan_of(size: int | None = None, retries: int = 0, concurrency: int | None = None, ratio: float = 1.0) -> Plan:
    array = None if size is None else ArraySpec(size=size, concurrency=concurrency, min_success_ratio=ratio)
    return planned(dataclasses.replace(request(), array=array, retries=retries))


def following(plan: Plan, wave: Wave, faults: Mapping[int, Fault]) -> Wave:
    found = waves.after(plan, wave, faults)
    assert isinstance(found, Wave)
    return found


def result(plan: Plan, wave: Wave, faults: Mapping[int, Fault]) -> Result:
    found = waves.after(plan, wave, faults)
    assert isinstance(found, Result)
    return found


@given(strategies.sets(strategies.integers(0, 9_999)))
def test_ranges_are_read_as_they_were_written(indices: set[int]) -> None:
    assert from_ranges(to_ranges(indices)) == indices


def test_ranges_are_short() -> None:
    assert to_ranges([0, 1, 2, 411, 413, 412, 500]) == "0-2,411-413,500"
    assert to_ranges([]) == ""


def test_one_job_is_submitted_once_and_left_to_flyte_when_it_fails() -> None:
    plan = plan_of()
    wave = waves.first(plan)
    assert (wave.number, wave.indices, wave.last) == (0, (), False)
    assert result(plan, wave, {}).succeeded
    failed = result(plan, wave, {0: OWN})
    assert (failed.succeeded, failed.final, failed.reasons) == (False, False, {0: "exit code 1"})
    assert result(plan, wave, {0: FINAL}).final


def test_one_job_that_lost_all_its_spot_instances_goes_to_the_last_queue_once() -> None:
    plan = plan_of()
    second = following(plan, waves.first(plan).model_copy(update={"job": "j0"}), {0: RECLAIMED})
    assert (second.number, second.last, second.earlier, second.because) == (1, True, ("j0",), RECLAIMED.reason)
    assert waves.kind(second) == "reclaimed"
    assert not result(plan, second, {0: RECLAIMED}).final


def test_a_list_is_submitted_in_portions_of_its_concurrency() -> None:
    plan = plan_of(5, concurrency=2)
    first = waves.first(plan)
    second = following(plan, first, {})
    third = following(plan, second, {})
    assert [wave.indices for wave in (first, second, third)] == [(0, 1), (2, 3), (4,)]
    assert (second.because, waves.kind(second)) == ("the next 2", "concurrency")
    assert result(plan, third, {}) == Result(succeeded=True, final=True, size=5, done=5, needed=5)


def test_the_last_try_and_what_lost_its_instances_go_to_the_last_queue() -> None:
    plan = plan_of(6, retries=2)
    second = following(plan, waves.first(plan), {1: OWN, 4: RECLAIMED})
    assert (second.indices, second.last, second.tries) == ((1,), False, {1: 1})
    third = following(plan, second, {1: OWN})
    assert (third.indices, third.last, third.tries) == ((1, 4), True, {1: 2})
    assert third.because == "1 that failed, once more and 1 whose spot instances were taken back"
    done = result(plan, third, {1: OWN})
    assert (done.failed, done.done, done.reasons) == ((1,), 5, {1: "exit code 1"})


def test_what_lost_its_instance_once_and_failed_by_itself_then_is_one_that_failed() -> None:
    plan = plan_of(2, retries=2)
    last = following(plan, waves.first(plan), {1: RECLAIMED})
    again = following(plan, last, {1: OWN})
    assert (again.indices, again.last, again.reclaimed, again.tries) == ((1,), False, "", {1: 1})
    assert (again.because, waves.kind(again)) == ("1 that failed, once more", "failed")


def test_what_has_not_run_yet_comes_before_what_failed() -> None:
    plan = plan_of(5, retries=2, concurrency=3)
    second = following(plan, waves.first(plan), {0: OWN, 1: OWN})
    assert second.indices == (0, 3, 4)


@pytest.mark.parametrize(
    ("size", "ratio", "needed"), [(100, 0.07, 7), (10, 0.95, 10), (1000, 0.29, 290), (3, 0.5, 2), (7, 1.0, 7)]
)
def test_how_many_have_to_succeed(size: int, ratio: float, needed: int) -> None:
    plan = plan_of(size, ratio=ratio)
    wave = waves.first(plan)
    enough = result(plan, wave, dict.fromkeys(range(size - needed), OWN))
    assert (enough.succeeded, enough.needed) == (True, needed)
    assert not result(plan, wave, dict.fromkeys(range(size - needed + 1), OWN)).succeeded


def test_a_list_ends_when_too_few_can_still_succeed() -> None:
    plan = plan_of(10, retries=3, concurrency=4, ratio=0.8)
    early = result(plan, waves.first(plan), dict.fromkeys((0, 1, 2), FINAL))
    assert (early.succeeded, early.final, early.not_tried, early.failed) == (False, True, 6, (0, 1, 2))


def test_reasons_are_kept_of_the_first_only() -> None:
    plan = plan_of(1000)
    assert len(result(plan, waves.first(plan), dict.fromkeys(range(1000), OWN)).reasons) == 5


def test_the_jobs_of_the_last_hundred_waves_are_known() -> None:
    plan = plan_of(200, concurrency=1)
    wave: Wave | Result = waves.first(plan)
    seen = []
    while isinstance(wave, Wave):
        seen.append(wave.model_copy(update={"job": f"job-{wave.number}"}))
        wave = waves.after(plan, seen[-1], {})
    assert seen[50].earlier == tuple(f"job-{number}" for number in range(50))
    assert seen[150].earlier == tuple(f"job-{number}" for number in range(50, 150))
    # A wave whose job nobody knows, as it came to nothing, has left none behind.
    assert following(plan, seen[1].model_copy(update={"job": ""}), {}).earlier == ("job-0",)


def test_why_there_is_a_wave_is_counted_by_what_weighs_most() -> None:
    for wave, kind in (
        (Wave(number=1, last=True), "reclaimed"),
        (Wave(number=1, indices=(0, 1), reclaimed="1,7", tries={0: 1}), "reclaimed"),
        (Wave(number=1, indices=(0, 1), reclaimed="7", tries={0: 1}), "failed"),
        (Wave(number=1, indices=(0, 1), reclaimed="7", tries={8: 1}), "concurrency"),
    ):
        assert waves.kind(wave) == kind


def test_what_a_wave_is_for_is_said_in_numbers() -> None:
    plan = plan_of(3000, retries=2, concurrency=1500)
    second = following(plan, waves.first(plan), dict.fromkeys(range(10), OWN) | dict.fromkeys(range(20, 25), RECLAIMED))
    assert second.because == "the next 1,500"
    third = following(plan, second, dict.fromkeys(range(2000, 2003), RECLAIMED))
    assert (third.because, third.last) == ("10 that failed, once more", False)
    assert third.reclaimed == "20-24,2000-2002"
    fourth = following(plan, third, {0: OWN})
    assert fourth.because == "1 that failed, once more and 8 whose spot instances were taken back"


def test_a_wave_tells_all_that_a_connector_needs_that_knew_nothing_before() -> None:
    plan = plan_of(9, retries=2, concurrency=4, ratio=0.5)
    wave: Wave | Result = waves.first(plan)
    steps = 0
    while isinstance(wave, Wave):
        read = Wave.model_validate_json(wave.model_dump_json(exclude_defaults=True))
        assert read == wave
        wave = waves.after(plan, read, {index: OWN for index in read.indices if index % 3 == 0})
        steps += 1
    assert (wave.failed, wave.done, steps) == ((0, 3, 6), 6, 4)


@dataclass
class Seen:
    """What became of a list's elements."""

    runs: Counter[int] = field(default_factory=Counter)
    own: Counter[int] = field(default_factory=Counter)


@settings(max_examples=300, deadline=None)
@given(data=strategies.data())
def test_whatever_fails_every_element_gets_its_tries_and_no_more(data: strategies.DataObject) -> None:
    size = data.draw(strategies.integers(1, 12))
    retries = data.draw(strategies.integers(0, 3))
    concurrency = data.draw(strategies.none() | strategies.integers(1, 5))
    ratio = data.draw(strategies.sampled_from([0.1, 0.5, 0.9, 1.0]))
    plan = plan_of(size, retries, concurrency, ratio)
    fates = strategies.sampled_from([None, None, OWN, FINAL, RECLAIMED])
    seen, finals = Seen(), set[int]()
    step: Wave | Result = waves.first(plan)
    number = 0
    while isinstance(step, Wave):
        assert step.number == number
        assert 0 < len(step.indices) <= (concurrency or size)
        assert len(set(step.indices)) == len(step.indices)
        assert finals.isdisjoint(step.indices)
        faults: dict[int, Fault] = {}
        for index in step.indices:
            seen.runs[index] += 1
            fault = data.draw(fates)
            # On its last try it is where nobody takes an instance back, if it has had a try before.
            if seen.own[index] == retries > 0:
                assert step.last
            if fault is not None:
                faults[index] = fault
            if fault is None or fault.final:
                finals.add(index)
            if fault is not None and not (fault.reclaimed and not step.last):
                seen.own[index] += 1
        step = waves.after(plan, step, faults)
        number += 1
        assert number <= size * 2 * (1 + retries), "it ends"
    assert all(count <= 1 + retries for count in seen.own.values())
    assert step.done + len(step.failed) + step.not_tried == size
    assert step.succeeded == (step.done >= step.needed)
    if step.succeeded:
        assert step.not_tried == 0
        assert set(seen.runs) == set(range(size)), "every element has run"
    if step.not_tried:
        assert len(step.failed) > size - step.needed
