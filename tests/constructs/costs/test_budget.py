import pytest
from aws_cdk import aws_sns as sns

from aerodrome_constructs.costs import MonthlyBudget, MonthlyBudgetProps
from tests.templates import Properties, new_stack, only, synthesized, text


@pytest.fixture(scope="module")
def budget() -> Properties:
    stack = new_stack()
    MonthlyBudget(
        stack, "Budget", MonthlyBudgetProps(usd=1500, tag=("team:name", "ml"), topic=sns.Topic(stack, "Topic"))
    )
    return only(synthesized(stack), "AWS::Budgets::Budget")


def test_it_is_of_a_month_in_dollars(budget: Properties) -> None:
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 1500, "Unit": "USD"}
    assert (budget["Budget"]["BudgetType"], budget["Budget"]["TimeUnit"]) == ("COST", "MONTHLY")


def test_it_counts_what_carries_the_tag(budget: Properties) -> None:
    assert budget["Budget"]["CostFilters"] == {"TagKeyValue": ["user:team:name$ml"]}


def test_it_tells_at_half_at_four_fifths_at_the_limit_and_when_the_month_is_forecast_to_pass_it(
    budget: Properties,
) -> None:
    notifications = [one["Notification"] for one in budget["NotificationsWithSubscribers"]]
    assert [(one["NotificationType"], one["Threshold"]) for one in notifications] == [
        ("ACTUAL", 50),
        ("ACTUAL", 80),
        ("ACTUAL", 100),
        ("FORECASTED", 100),
    ]
    assert {(one["ThresholdType"], one["ComparisonOperator"]) for one in notifications} == {
        ("PERCENTAGE", "GREATER_THAN")
    }


def test_each_notification_goes_to_the_topic(budget: Properties) -> None:
    for one in budget["NotificationsWithSubscribers"]:
        (subscriber,) = one["Subscribers"]
        assert subscriber["SubscriptionType"] == "SNS"
        assert text(subscriber["Address"]).startswith("${Topic")


def test_it_has_no_name_that_would_keep_cloudformation_from_replacing_it(budget: Properties) -> None:
    assert "BudgetName" not in budget["Budget"]
