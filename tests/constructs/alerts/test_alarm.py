from datetime import timedelta

import pytest
from aws_cdk import aws_sns as sns

from aerodrome_constructs.alerts import Metric, MetricAlarm, MetricAlarmProps
from tests.templates import Properties, new_stack, only, synthesized, text


def alarm(*, runbook: str = "runbooks/disk-full.md", tell_when_over: bool = True) -> Properties:
    stack = new_stack()
    props = MetricAlarmProps(
        name="disk",
        meaning="The disk is full.",
        runbook=runbook,
        metric=Metric("AWS/RDS", "FreeStorageSpace", {"DBInstanceIdentifier": "platform"}, "Average"),
        period=timedelta(minutes=5),
        periods=3,
        comparison="LessThanThreshold",
        threshold=10.5,
        topic=sns.Topic(stack, "Topic"),
        tell_when_over=tell_when_over,
    )
    MetricAlarm(stack, "Alarm", props)
    return only(synthesized(stack), "AWS::CloudWatch::Alarm")


def test_it_watches_the_metric_for_as_long_as_it_is_told_to() -> None:
    found = alarm()
    assert (found["AlarmName"], found["Namespace"], found["MetricName"]) == ("disk", "AWS/RDS", "FreeStorageSpace")
    assert found["Dimensions"] == [{"Name": "DBInstanceIdentifier", "Value": "platform"}]
    assert (found["Statistic"], found["Period"], found["EvaluationPeriods"]) == ("Average", 300, 3)
    assert (found["ComparisonOperator"], found["Threshold"]) == ("LessThanThreshold", 10.5)
    assert found["TreatMissingData"] == "missing"


def test_it_says_what_is_wrong_and_what_to_do() -> None:
    assert alarm()["AlarmDescription"] == "The disk is full. What to do: runbooks/disk-full.md"


@pytest.mark.parametrize(("tell_when_over", "told"), [(True, 1), (False, 0)])
def test_somebody_is_told_and_of_the_end_if_it_says_something(*, tell_when_over: bool, told: int) -> None:
    found = alarm(tell_when_over=tell_when_over)
    assert [text(action)[:7] for action in found["AlarmActions"]] == ["${Topic"]
    assert len(found.get("OKActions", [])) == told


@pytest.mark.parametrize("runbook", ["", "later", "docs/how-to/costs.md", "runbooks/Disk Full.md", "runbooks/a.md\n"])
def test_one_without_a_runbook_cannot_be_built(runbook: str) -> None:
    with pytest.raises(ValueError, match=r"the runbook of the alarm disk is .* write the page"):
        alarm(runbook=runbook)
