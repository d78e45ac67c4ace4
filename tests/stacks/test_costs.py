import json
from collections.abc import Mapping

import pytest

from aerodrome_stacks.alerts_stack import AlertsStack
from aerodrome_stacks.costs_stack import CostsStack
from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.keys_stack import KeysStack
from tests.stacks.conftest import StackArtifact
from tests.templates import ROOT, TemplateJson, new_app, only, properties, synthesized, text


@pytest.fixture
def costs(stacks: Mapping[str, TemplateJson]) -> TemplateJson:
    return stacks["Costs"]


def test_the_budget_is_the_environments_and_counts_what_carries_its_tag(
    costs: TemplateJson, environment: Environment
) -> None:
    budget = only(costs, "AWS::Budgets::Budget")["Budget"]
    assert budget["BudgetLimit"]["Amount"] == environment.costs.monthly_usd
    assert budget["CostFilters"] == {"TagKeyValue": [f"user:aerodrome:environment${environment.name}"]}


def test_what_the_budget_counts_by_is_a_tag_that_everything_carries(
    stacks: Mapping[str, TemplateJson], environment: Environment
) -> None:
    cluster = only(stacks["Cluster"], "AWS::EKS::Cluster")
    assert {"Key": "aerodrome:environment", "Value": environment.name} in cluster["Tags"]


def test_an_anomaly_is_told_from_the_environments_threshold_on(costs: TemplateJson, environment: Environment) -> None:
    subscription = only(costs, "AWS::CE::AnomalySubscription")
    (value,) = json.loads(subscription["ThresholdExpression"])["Dimensions"]["Values"]
    assert value == str(environment.costs.anomaly_usd)


def test_the_export_is_named_after_the_environment(costs: TemplateJson, environment: Environment) -> None:
    assert only(costs, "AWS::BCMDataExports::Export")["Export"]["Name"] == f"aerodrome-{environment.name}-costs"


def test_its_buckets_are_protected(artifacts: Mapping[str, StackArtifact]) -> None:
    assert artifacts["Costs"].protected


def test_elsewhere_it_goes_to_the_billing_services_and_tells_the_environments_topic() -> None:
    environment = load_environment("dev", ROOT / "environments").model_copy(update={"region": "eu-north-1"})
    app = new_app()
    keys = KeysStack(app, "Keys", environment=environment).ports
    alerts = AlertsStack(app, "Alerts", environment=environment, alerts_key=keys.alerts).ports
    stack = CostsStack(app, "Costs", environment=environment, alerts=alerts)
    assert (stack.region, stack.account) == ("us-east-1", environment.account)
    template = synthesized(stack)
    topic = f"arn:aws:sns:eu-north-1:{environment.account}:aerodrome-dev-alerts"
    (subscriber,) = only(template, "AWS::CE::AnomalySubscription")["Subscribers"]
    assert text(subscriber["Address"]) == topic
    for notification in only(template, "AWS::Budgets::Budget")["NotificationsWithSubscribers"]:
        assert [one["Address"] for one in notification["Subscribers"]] == [topic]
    for bucket in properties(template, "AWS::S3::Bucket").values():
        assert {"Key": "aerodrome:environment", "Value": "dev"} in bucket["Tags"]
