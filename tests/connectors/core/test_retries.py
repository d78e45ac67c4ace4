import signal
import subprocess
import sys

import pytest

from flytekit_aws_batch.core.retries import attempts, ended_by, evaluate_on_exit, rule_problems, timeout
from flytekit_aws_batch.core.spec import ExitRule, JobSpec


@pytest.mark.parametrize(("reclaims", "expected"), [(0, 1), (4, 5), (9, 10)])
def test_a_job_has_one_attempt_and_one_for_each_reclaim(reclaims: int, expected: int) -> None:
    assert attempts(JobSpec(reclaims=reclaims)) == expected


@pytest.mark.parametrize(("fargate", "pattern"), [(False, "Host EC2*"), (True, "Your Spot Task was interrupted*")])
def test_what_lost_its_host_is_tried_again_and_nothing_else(fargate: bool, pattern: str) -> None:  # noqa: FBT001 - a parameter of the test
    assert evaluate_on_exit(JobSpec(), fargate=fargate) == (
        {"onStatusReason": pattern, "action": "RETRY"},
        {"onReason": "*", "action": "EXIT"},
    )


def test_the_author_s_rules_come_first_and_all_fit_in_five() -> None:
    spec = JobSpec(
        on_exit=(
            ExitRule(action="exit", exit_code="137", reason="OutOfMemoryError*"),
            ExitRule(action="retry", status_reason="Task failed to start*"),
        )
    )
    rules = evaluate_on_exit(spec, fargate=False)
    assert rules[:3] == (
        {"onExitCode": "137", "onReason": "OutOfMemoryError*", "action": "EXIT"},
        {"onExitCode": "247", "onReason": "OutOfMemoryError*", "action": "EXIT"},
        {"onStatusReason": "Task failed to start*", "action": "RETRY"},
    )
    assert len(rules) == 5
    assert list(rule_problems(spec)) == []


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (("137",), ["137", "247"]),
        (("143", "75"), ["143", "241", "75"]),
        (("75", "137"), ["75", "137", "247"]),
        # Batch takes five rules.
        (("137", "139"), ["137", "247", "139"]),
        # The author's own rule for it comes first.
        (("137", "247"), ["137", "247"]),
        (("247", "137"), ["247", "137"]),
        (("13*",), ["13*"]),
        (("128",), ["128"]),
        # 255 is what exit(-1) gives.
        (("129",), ["129"]),
        (("1" * 512,), ["1" * 512]),
    ],
)
def test_a_rule_for_a_signal_holds_for_code_that_travels_too(codes: tuple[str, ...], expected: list[str]) -> None:
    spec = JobSpec(on_exit=tuple(ExitRule(action="retry", exit_code=code, reason="Out*") for code in codes))
    *rules, _, _ = evaluate_on_exit(spec, fargate=False)
    assert [rule.pop("onExitCode") for rule in rules] == expected
    assert rules == [{"onReason": "Out*", "action": "RETRY"}] * len(expected)
    assert len(rules) <= 3


def test_what_a_killed_child_leaves_is_what_python_says_of_it() -> None:
    code = "import os, signal, subprocess as s; exit(s.run(['sh', '-c', 'kill -KILL $$']).returncode)"
    ended = subprocess.run([sys.executable, "-c", code], check=False).returncode
    assert ended_by(ended) == ended_by(137) == signal.SIGKILL


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (ExitRule(action="exit"), "on_exit[0] has no condition"),
        (ExitRule(action="exit", exit_code="1*7"), "on_exit[0].exit_code='1*7': digits"),
        (ExitRule(action="exit", exit_code=""), "on_exit[0].exit_code='': digits"),
        (ExitRule(action="exit", reason="out-of-memory"), "on_exit[0].reason='out-of-memory': up to 512 letters"),
        (ExitRule(action="exit", status_reason="*EC2"), "on_exit[0].status_reason='*EC2'"),
    ],
)
def test_a_rule_that_batch_would_refuse_is_a_problem(rule: ExitRule, words: str) -> None:
    (problem,) = rule_problems(JobSpec(on_exit=(rule,)))
    assert words in problem


def test_a_retry_needs_a_second_attempt() -> None:
    rule = ExitRule(action="retry", exit_code="75")
    (problem,) = rule_problems(JobSpec(on_exit=(rule,), reclaims=0))
    assert "reclaims=0 leaves Batch a single attempt; give reclaims=1 or more" in problem
    assert list(rule_problems(JobSpec(on_exit=(rule,), reclaims=1))) == []


@pytest.mark.parametrize(("given", "expected"), [(None, None), (0, None), (1, 60), (59, 60), (60, 60), (3600, 3600)])
def test_a_timeout_is_at_least_a_minute(given: int | None, expected: int | None) -> None:
    seconds, note = timeout(given)
    assert seconds == expected
    assert (note is not None) == bool(given and given < 60)
