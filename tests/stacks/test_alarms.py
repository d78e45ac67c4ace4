from collections.abc import Mapping

import pytest

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.connections import max_connections, memory_gib
from tests.templates import ROOT, Properties, TemplateJson, only, properties, text


@pytest.fixture
def alarms(stacks: Mapping[str, TemplateJson]) -> dict[str, Properties]:
    """The alarms on the database by their metric."""
    return {one["MetricName"]: one for one in properties(stacks["Alarms"], "AWS::CloudWatch::Alarm").values()}


def test_they_watch_the_database_that_is_made(
    alarms: Mapping[str, Properties], stacks: Mapping[str, TemplateJson]
) -> None:
    made = only(stacks["Database"], "AWS::RDS::DBInstance")["DBInstanceIdentifier"]
    assert set(alarms) == {"FreeStorageSpace", "DatabaseConnections", "CPUUtilization"}
    for alarm in alarms.values():
        assert alarm["Namespace"] == "AWS/RDS"
        assert alarm["Dimensions"] == [{"Name": "DBInstanceIdentifier", "Value": made}]


def test_they_fire_while_there_is_time_to_act(alarms: Mapping[str, Properties], environment: Environment) -> None:
    database = environment.database
    storage, connections = alarms["FreeStorageSpace"], alarms["DatabaseConnections"]
    assert storage["Threshold"] == database.storage_gib * 2**30 / 20
    assert storage["ComparisonOperator"] == "LessThanThreshold"
    memory = memory_gib(database.instance_class)
    assert memory
    assert connections["Threshold"] == 0.8 * max_connections(memory)
    assert connections["ComparisonOperator"] == "GreaterThanThreshold"


def test_every_alarm_of_every_stack_tells_somebody_and_names_a_page_that_is_there(
    stacks: Mapping[str, TemplateJson],
) -> None:
    found = {
        f"{stack}/{key}": one["Properties"]
        for stack, template in stacks.items()
        for key, one in template["Resources"].items()
        if one["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert len(found) >= 3
    for name, alarm in found.items():
        assert [text(action) for action in alarm["AlarmActions"]], name
        runbook = alarm["AlarmDescription"].rpartition(" What to do: ")[2]
        assert (ROOT / runbook).is_file(), f"{name} names {runbook}, and there is no such page"
