from datetime import timedelta

import pytest
from aws_cdk import aws_sns as sns

from aerodrome_constructs.alerts import MathAlarm, MathAlarmProps, Metric
from tests.templates import Properties, new_stack, only, synthesized, text


def alarm(runbook: str = "runbooks/rate.md") -> Properties:
    stack = new_stack()
    props = MathAlarmProps(
        name="rate",
        meaning="Too many fail.",
        runbook=runbook,
        metrics={
            "failed": Metric("Jobs", "Failed", {"Queue": "a"}),
            "ended": Metric("Jobs", "Ended", {"Queue": "a"}, "Maximum"),
        },
        expression="100 * failed / ended",
        label="%",
        period=timedelta(hours=1),
        periods=2,
        comparison="GreaterThanThreshold",
        threshold=20,
        topic=sns.Topic(stack, "Topic"),
    )
    MathAlarm(stack, "Alarm", props)
    return only(synthesized(stack), "AWS::CloudWatch::Alarm")


def test_only_the_expression_is_compared() -> None:
    found = alarm()
    compared = [query for query in found["Metrics"] if query["ReturnData"]]
    assert compared == [{"Id": "result", "Expression": "100 * failed / ended", "Label": "%", "ReturnData": True}]
    assert (found["EvaluationPeriods"], found["Threshold"]) == (2, 20)
    assert not {"MetricName", "Namespace", "Period", "Statistic"} & found.keys()


def test_its_metrics_have_the_names_of_the_expression() -> None:
    queries = {query["Id"]: query["MetricStat"] for query in alarm()["Metrics"] if "MetricStat" in query}
    assert {name: query["Stat"] for name, query in queries.items()} == {"failed": "Sum", "ended": "Maximum"}
    assert queries["failed"]["Period"] == 3600
    assert queries["failed"]["Metric"] == {
        "Namespace": "Jobs",
        "MetricName": "Failed",
        "Dimensions": [{"Name": "Queue", "Value": "a"}],
    }


def test_it_says_what_to_do_and_tells_of_the_end() -> None:
    found = alarm()
    assert found["AlarmDescription"] == "Too many fail. What to do: runbooks/rate.md"
    for actions in (found["AlarmActions"], found["OKActions"]):
        assert [text(action)[:7] for action in actions] == ["${Topic"]


def test_one_without_a_runbook_cannot_be_built() -> None:
    with pytest.raises(ValueError, match=r"the runbook of the alarm rate is 'later'.* write the page"):
        alarm("later")
