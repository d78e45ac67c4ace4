"""A budget of a month, and who is told before it is spent."""

from dataclasses import dataclass

from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_sns as sns
from constructs import Construct

_TOLD_AT_PERCENT = (50, 80, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyBudgetProps:
    """What a budget needs to know.

    Attributes:
        usd: What may be spent in a calendar month, in US dollars.
        tag: Key and value of the cost allocation tag that the counted resources carry. A tag that is not activated
            for cost allocation counts nothing.
        topic: Where notifications go. Its policy, and its key's, let AWS Budgets publish.
    """

    usd: int
    tag: tuple[str, str]
    topic: sns.ITopic


class MonthlyBudget(Construct):
    """A budget that tells at 50, 80 and 100 % of what was spent, and when the month is forecast to end above it.

    It has no name of its own choosing: CloudFormation replaces a budget when its notifications change, and makes the
    new one first, which AWS Budgets refuses under a name that is taken.
    """

    def __init__(self, scope: Construct, construct_id: str, props: MonthlyBudgetProps) -> None:
        super().__init__(scope, construct_id)
        key, value = props.tag
        subscriber = budgets.CfnBudget.SubscriberProperty(subscription_type="SNS", address=props.topic.topic_arn)

        def told(kind: str, percent: int) -> budgets.CfnBudget.NotificationWithSubscribersProperty:
            return budgets.CfnBudget.NotificationWithSubscribersProperty(
                notification=budgets.CfnBudget.NotificationProperty(
                    comparison_operator="GREATER_THAN",
                    notification_type=kind,
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                ),
                subscribers=[subscriber],
            )

        budgets.CfnBudget(
            self,
            "Resource",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=props.usd, unit="USD"),
                # The form that AWS Budgets gives to a tag of the user's:
                # https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Budget.html
                cost_filters={"TagKeyValue": [f"user:{key}${value}"]},
            ),
            notifications_with_subscribers=[
                *(told("ACTUAL", percent) for percent in _TOLD_AT_PERCENT),
                told("FORECASTED", 100),
            ],
        )
