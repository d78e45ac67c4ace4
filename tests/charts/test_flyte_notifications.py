"""Whom Flyte tells of executions, in the values of its release."""

import re
from typing import Any

import pytest

from aerodrome_stacks.chart_values.flyte_notifications import notifications
from aerodrome_stacks.environment import Environment
from tests.charts.deployed import DeployedRelease

# What flyteadmin fills in (flyteadmin/pkg/async/notifications/email.go, v1.16.8): anything else is mailed as it stands.
KNOWN = {
    "project",
    "domain",
    "name",
    "phase",
    "error",
    *(f"workflow.{part}" for part in ("project", "domain", "name", "version")),
    *(f"launch_plan.{part}" for part in ("project", "domain", "name", "version")),
}


@pytest.fixture
def emails(flyte: DeployedRelease) -> Any:  # noqa: ANN401 - values
    """What stands under ``notifications`` of flyteadmin's configuration."""
    assert flyte.value("workflow_notifications", "enabled") is True
    return flyte.value("workflow_notifications", "config", "notifications")


def test_emails_go_through_sns_sqs_and_ses_of_the_environment(emails: Any, environment: Environment) -> None:  # noqa: ANN401 - values
    # Anything but `aws` is a sender that says nothing, and sends nothing.
    assert (emails["type"], emails["aws"]) == ("aws", {"region": environment.region})
    # With `region` beside `aws`, the chart writes one of the two.
    assert "region" not in emails
    assert "EmailsTopic" in emails["publisher"]["topicName"]
    assert emails["processor"] == {
        "queueName": f"aerodrome-{environment.name}-flyte-emails",
        "accountId": environment.account,
    }


def test_they_come_from_the_one_address_that_flyteadmin_may_use(emails: Any, environment: Environment) -> None:  # noqa: ANN401 - values
    assert emails["emailer"]["sender"] == f"flyte@{environment.access.domain_name}"


def test_they_say_what_flyteadmin_can_fill_in_and_lead_to_the_execution(emails: Any, environment: Environment) -> None:  # noqa: ANN401 - values
    texts = emails["emailer"]["subject"] + emails["emailer"]["body"]
    places = set(re.findall(r"\{\{ (.*?) \}\}", texts))
    assert places <= KNOWN
    assert {"project", "domain", "name", "phase", "error"} <= places
    # Filled in by a search for the text: with one space on either side, or with none.
    assert texts.count("{{") == texts.count("{{ ") == len(re.findall(r"\{\{ [a-z_.]+ \}\}", texts))
    execution = "/console/projects/{{ project }}/domains/{{ domain }}/executions/{{ name }}"
    assert f'href="https://flyte.{environment.access.domain_name}{execution}"' in emails["emailer"]["body"]


def test_all_events_go_to_a_topic_of_the_environment(flyte: DeployedRelease, environment: Environment) -> None:
    events = flyte.value("external_events")
    # The chart's defaults are us-east-2 and somebody else's topic.
    assert (events["enable"], events["type"], events["aws"]) == (True, "aws", {"region": environment.region})
    assert events["eventsPublisher"]["eventTypes"] == ["all"]
    topic = events["eventsPublisher"]["topicName"]
    assert "Events" in topic
    assert not topic.endswith(".fifo")


@pytest.mark.cdk_variants("dev")
def test_where_nobody_is_told_the_chart_s_defaults_stay(environment: Environment) -> None:
    assert notifications(environment, None) == {}
