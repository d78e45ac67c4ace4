import json
from collections.abc import Mapping

import pytest

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.connections import max_connections, memory_gib
from tests.templates import ROOT, Properties, TemplateJson, only, properties, resources, text, with_id


@pytest.fixture
def alarms(stacks: Mapping[str, TemplateJson], environment: Environment) -> dict[str, Properties]:
    """The alarms of the stack by their name, of which the environment's part is left out."""
    prefix = f"aerodrome-{environment.name}-"
    found = properties(stacks["Alarms"], "AWS::CloudWatch::Alarm").values()
    assert all(one["AlarmName"].startswith(prefix) for one in found)
    return {one["AlarmName"].removeprefix(prefix): one for one in found}


@pytest.fixture
def on_the_database(alarms: Mapping[str, Properties]) -> dict[str, Properties]:
    """Those on the database, by their metric."""
    return {one["MetricName"]: one for one in alarms.values() if one["Namespace"] == "AWS/RDS"}


def test_they_watch_the_database_that_is_made(
    on_the_database: Mapping[str, Properties], stacks: Mapping[str, TemplateJson]
) -> None:
    made = only(stacks["Database"], "AWS::RDS::DBInstance")["DBInstanceIdentifier"]
    assert set(on_the_database) == {"FreeStorageSpace", "DatabaseConnections", "CPUUtilization"}
    for alarm in on_the_database.values():
        assert alarm["Dimensions"] == [{"Name": "DBInstanceIdentifier", "Value": made}]


def test_they_fire_while_there_is_time_to_act(
    on_the_database: Mapping[str, Properties], environment: Environment
) -> None:
    database = environment.database
    storage, connections = on_the_database["FreeStorageSpace"], on_the_database["DatabaseConnections"]
    assert storage["Threshold"] == database.storage_gib * 2**30 / 20
    assert storage["ComparisonOperator"] == "LessThanThreshold"
    memory = memory_gib(database.instance_class)
    assert memory
    assert connections["Threshold"] == 0.8 * max_connections(memory)
    assert connections["ComparisonOperator"] == "GreaterThanThreshold"


def test_a_password_that_could_not_be_changed_is_told_where_passwords_change(
    alarms: Mapping[str, Properties], stacks: Mapping[str, TemplateJson], environment: Environment
) -> None:
    if environment.database.password_rotation is None:
        assert "password-rotation-failed" not in alarms
        return
    alarm, function = (
        alarms["password-rotation-failed"],
        with_id(stacks["Database"], "AWS::Lambda::Function", "RotationFunction"),
    )
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", "Errors")
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": function["FunctionName"]}]
    assert fires_at(alarm, 1)
    assert not fires_at(alarm, 0)
    # The next of the four passwords would say that all is well.
    assert "OKActions" not in alarm


def test_prod_changes_passwords_and_is_told(alarms: Mapping[str, Properties], environment: Environment) -> None:
    assert environment.name != "prod" or "password-rotation-failed" in alarms


def test_an_interruption_that_nobody_handled_is_told(
    alarms: Mapping[str, Properties], stacks: Mapping[str, TemplateJson]
) -> None:
    alarm, cluster = alarms["interruptions-unhandled"], stacks["Cluster"]
    (dead_letters,) = [
        queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for queue in properties(cluster, "AWS::SQS::Queue").values()
        if "RedrivePolicy" in queue
    ]
    queue = resources(cluster, "AWS::SQS::Queue")[dead_letters]["Properties"]["QueueName"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SQS", "ApproximateNumberOfMessagesVisible")
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": queue}]
    assert fires_at(alarm, 1)
    assert not fires_at(alarm, 0)


def test_a_night_in_which_definitions_were_left_is_told(
    alarms: Mapping[str, Properties], stacks: Mapping[str, TemplateJson]
) -> None:
    alarm = alarms["job-definition-cleaner-failed"]
    function = with_id(stacks["Batch"], "AWS::Lambda::Function", "CleanerFunction")
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", "Errors")
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": function["FunctionName"]}]
    assert fires_at(alarm, 1)
    assert not fires_at(alarm, 0)


def test_whoever_wants_one_of_the_keys_gone_is_told_of(stacks: Mapping[str, TemplateJson]) -> None:
    rule = only(stacks["Alarms"], "AWS::Events::Rule")
    assert rule["EventPattern"]["detail"]["eventName"] == ["DisableKey", "ScheduleKeyDeletion"]
    watched = [text(arn) for arn in rule["EventPattern"]["detail"]["resources"]["ARN"]]
    made = resources(stacks["Keys"], "AWS::KMS::Key")
    assert len(watched) == len(made)
    for key in made:
        assert [arn for arn in watched if key in arn], f"{key} can go unseen"
    # EventBridge's limit, and an ARN is longer than the import that stands for it here.
    assert len(json.dumps(rule["EventPattern"])) < 2048


def test_every_alarm_of_every_stack_tells_somebody_and_names_a_page_that_is_there(
    stacks: Mapping[str, TemplateJson],
) -> None:
    found = {
        f"{stack}/{key}": one["Properties"]
        for stack, template in stacks.items()
        for key, one in template["Resources"].items()
        if one["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert len(found) >= 5
    for name, alarm in found.items():
        assert [text(action) for action in alarm["AlarmActions"]], name
        runbook = alarm["AlarmDescription"].rpartition(" What to do: ")[2]
        assert (ROOT / runbook).is_file(), f"{name} names {runbook}, and there is no such page"


def fires_at(alarm: Properties, value: float) -> bool:
    """Whether a value of the metric is what the alarm is for."""
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    return value > float(alarm["Threshold"])
