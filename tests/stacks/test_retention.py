from datetime import timedelta
from itertools import pairwise

import pytest
from aws_cdk import aws_logs as logs

from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.retention import log_retention
from tests.templates import ROOT, new_stack, only, synthesized

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
OFFERED = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)


@pytest.fixture(scope="module")
def days() -> dict[logs.RetentionDays, int]:
    """How many days each of the CDK's names stands for: what it writes into a template."""

    def in_a_template(retention: logs.RetentionDays) -> int:
        stack = new_stack()
        logs.LogGroup(stack, "Logs", retention=retention)
        return int(only(synthesized(stack), "AWS::Logs::LogGroup")["RetentionInDays"])

    return {one: in_a_template(one) for one in logs.RetentionDays if one is not logs.RetentionDays.INFINITE}


def wishing(wish: timedelta) -> Environment:
    environment = load_environment("dev", ROOT / "environments")
    retention = environment.retention.model_copy(update={"logs": wish})
    return environment.model_copy(update={"retention": retention})


@pytest.mark.parametrize("wish", OFFERED)
def test_a_period_that_cloudwatch_offers_is_taken(days: dict[logs.RetentionDays, int], wish: int) -> None:
    assert days[log_retention(wishing(timedelta(days=wish)))] == wish


@pytest.mark.parametrize(("below", "above"), list(pairwise(OFFERED)))
def test_a_period_in_between_is_rounded_up(days: dict[logs.RetentionDays, int], below: int, above: int) -> None:
    assert days[log_retention(wishing(timedelta(days=below + 1)))] == above


def test_the_longest_period_is_the_longest_on_offer(days: dict[logs.RetentionDays, int]) -> None:
    assert days[log_retention(wishing(timedelta(days=10_000)))] == OFFERED[-1]
