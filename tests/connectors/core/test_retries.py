import pytest

from flytekit_aws_batch.core.retries import attempts, evaluate_on_exit, rule_problems, timeout
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
    assert rules[:2] == (
        {"onExitCode": "137", "onReason": "OutOfMemoryError*", "action": "EXIT"},
        {"onStatusReason": "Task failed to start*", "action": "RETRY"},
    )
    assert len(rules) == 4
    assert list(rule_problems(spec)) == []


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
