"""Values of Alertmanager as Helm gets them: who is told of what, and what they are told."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from aerodrome_stacks.environment import Environment
from tests.charts.deployed import DeployedRelease


@pytest.fixture
def stack(releases: Mapping[str, DeployedRelease]) -> DeployedRelease:
    return releases["kube-prometheus-stack"]


@pytest.fixture
def receivers(stack: DeployedRelease) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Where alerts are sent, by the name of the receiver."""
    return {one["name"]: one.get("sns_configs", []) for one in stack.value("alertmanager", "config", "receivers")}


@pytest.fixture
def routes(stack: DeployedRelease) -> Mapping[str, str]:
    """The receivers by what they get."""
    return {
        matcher: route["receiver"]
        for route in stack.value("alertmanager", "config", "route", "routes")
        for matcher in route["matchers"]
    }


def test_people_are_told_of_what_is_for_them_and_of_nothing_else(
    stack: DeployedRelease, routes: Mapping[str, str], receivers: Mapping[str, Sequence[Mapping[str, Any]]]
) -> None:
    told = {matcher: receiver for matcher, receiver in routes.items() if "Topic" in str(receivers[receiver])}

    # Ours are page or ticket; the chart's critical or warning.
    assert told == {'severity =~ "page|critical"': "page", 'severity =~ "ticket|warning"': "ticket"}
    assert stack.value("alertmanager", "config", "route", "receiver") == "nobody"
    assert receivers["nobody"] == []


def test_every_receiver_that_is_routed_to_is_there(
    routes: Mapping[str, str], receivers: Mapping[str, Sequence[Mapping[str, Any]]]
) -> None:
    assert {*routes.values()} == {*receivers}


def test_the_heartbeat_goes_to_nobody_and_oftener_than_its_alarm_looks(
    stack: DeployedRelease, receivers: Mapping[str, Sequence[Mapping[str, Any]]]
) -> None:
    # The first that matches decides.
    watchdog, *_ = stack.value("alertmanager", "config", "route", "routes")
    (sent,) = receivers[watchdog["receiver"]]

    assert watchdog["matchers"] == ['alertname = "Watchdog"']
    assert watchdog["repeat_interval"] == "5m"
    assert "Heartbeat" in sent["topic_arn"]


def test_messages_are_signed_with_the_role_and_say_what_to_do(
    stack: DeployedRelease, receivers: Mapping[str, Sequence[Mapping[str, Any]]], environment: Environment
) -> None:
    configs = [config for configs in receivers.values() for config in configs]
    template = stack.value("alertmanager", "templateFiles", "aerodrome.tmpl")
    assert len(configs) == 3

    for config in configs:
        # No key stands here: the service account's role signs.
        assert config["sigv4"] == {"region": environment.region}
        assert config["message"] == '{{ template "aerodrome.message" . }}'
    assert {'define "aerodrome.subject"', 'define "aerodrome.message"'} <= set(re.findall(r'define "[\w.]+"', template))
    # Ours name a page of this repository, those of the chart an address.
    assert "What to do: {{ or .Annotations.runbook .Annotations.runbook_url" in template


def test_the_subject_is_one_that_sns_takes(stack: DeployedRelease) -> None:
    # At most 100 characters of ASCII, in one line (Publish in the Amazon SNS API Reference).
    template = stack.value("alertmanager", "templateFiles", "aerodrome.tmpl")
    match = re.search(r'define "aerodrome.subject" -}}\n(.+)\n{{- end }}', template)
    assert match
    longest = {
        ".Status | toUpper": "RESOLVED",
        ".GroupLabels.alertname": "A" * 50,
        ".CommonLabels.environment": "e" * 12,
        ".GroupLabels.severity": "critical",
    }

    subject = re.sub(r"{{ (.+?) }}", lambda found: longest[found.group(1)], match.group(1))

    assert subject.isascii()
    assert len(subject) <= 100


def test_what_is_grouped_by_is_what_the_subject_and_the_attribute_say(stack: DeployedRelease) -> None:
    assert {"alertname", "severity"} <= set(stack.value("alertmanager", "config", "route", "group_by"))


def test_one_alertmanager_is_always_there(stack: DeployedRelease) -> None:
    spec, budget = stack.value("alertmanager", "alertmanagerSpec"), stack.value("alertmanager", "podDisruptionBudget")

    assert spec["replicas"] == 2
    assert budget == {"enabled": True, "minAvailable": 1}
    (spread,) = spec["topologySpreadConstraints"]
    assert spread["topologyKey"] == "topology.kubernetes.io/zone"
    assert stack.value("alertmanager", "serviceAccount", "automountServiceAccountToken") is False
    assert spec["automountServiceAccountToken"] is False
