"""The links from a task in Flyte's console to its output lead to where Fluent Bit puts it."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import pytest

from aerodrome_stacks.chart_values.flyte_logs import task_logs
from aerodrome_stacks.environment import Environment
from tests.charts.deployed import DeployedRelease
from tests.charts.test_fluent_bit import ID, script_of


def logs_of(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return dict(values["plugins"]["logs"])


def filled(template: str, values: Mapping[str, str]) -> str:
    """What Helm and then Flyte make of a link."""
    for name, value in values.items():
        placeholder = "{{`{{.%s}}`}}" % name  # noqa: UP031 - braces are to be read here, not counted
        assert placeholder in template
        template = template.replace(placeholder, value)
    assert "{{" not in template
    return template


def test_a_link_leads_to_the_group_and_the_stream_of_the_pod(
    flyte: DeployedRelease, releases: Mapping[str, DeployedRelease], environment: Environment
) -> None:
    project, domain = environment.project_domains[0]
    pod = {"namespace": f"{project}-{domain}", "podName": "f8d0-n0-0", "containerName": "primary"}
    link = filled(logs_of(flyte.value("configmap", "task_logs"))["cloudwatch-template-uri"], pod)

    _, _, path = link.partition("#logsV2:log-groups/log-group/")
    group, _, stream = path.partition("/log-events/")
    fluent_bit = releases["aws-for-fluent-bit"]
    namespace, written = script_of(fluent_bit.value("additionalFilters"))(
        f"{pod['podName']}_{pod['namespace']}_{pod['containerName']}-{ID}.log"
    )
    assert namespace
    template = fluent_bit.value("cloudWatchLogs", "logGroupTemplate")
    assert decoded(group) == template.replace("$log_namespace", namespace)
    assert decoded(stream) == written


def decoded(name: str) -> str:
    """A name as the console reads it behind the hash: encoded twice, with $ for %."""
    assert re.fullmatch(r"(\$25[0-9A-F]{2}|[\w.-])+", name)
    return unquote(unquote(name.replace("$", "%")))


def test_flyte_makes_such_links_and_no_others(flyte: DeployedRelease, environment: Environment) -> None:
    logs = logs_of(flyte.value("configmap", "task_logs"))

    assert (logs["cloudwatch-enabled"], logs["kubernetes-enabled"]) == (True, False)
    assert logs["cloudwatch-region"] == environment.region


@pytest.mark.cdk_variants("dev")
@pytest.mark.parametrize(
    ("region", "console"),
    [
        ("eu-west-1", "https://console.aws.amazon.com/cloudwatch/home?region=eu-west-1#"),
        ("cn-north-1", "https://console.amazonaws.cn/cloudwatch/home?region=cn-north-1#"),
        ("us-gov-west-1", "https://console.amazonaws-us-gov.com/cloudwatch/home?region=us-gov-west-1#"),
    ],
)
def test_each_partition_has_a_console_of_its_own(environment: Environment, region: str, console: str) -> None:
    there = environment.model_copy(update={"region": region})

    assert logs_of(task_logs(there))["cloudwatch-template-uri"].startswith(console)
