"""AWS Budgets: budgets with their notifications. Nothing is spent here, so none is ever sent."""

from typing import Any

from botocore.exceptions import ClientError

from aerodrome_local.resources.conversion import tag_list
from aerodrome_local.runtime import Created, Properties, Runtime, current_account


def install(runtime: Runtime) -> None:
    """Register the type."""

    def create(logical_id: str, properties: Properties, stack_name: str) -> Created:
        budget = dict(properties["Budget"])
        budget.setdefault("BudgetName", runtime.physical_name(stack_name, logical_id, max_length=100))
        if "BudgetLimit" in budget:
            budget["BudgetLimit"] = {
                "Amount": str(budget["BudgetLimit"]["Amount"]),
                "Unit": budget["BudgetLimit"]["Unit"],
            }
        runtime.client("budgets").create_budget(
            AccountId=current_account(),
            Budget=budget,
            NotificationsWithSubscribers=[
                {
                    "Notification": {**item["Notification"], "Threshold": float(item["Notification"]["Threshold"])},
                    "Subscribers": item["Subscribers"],
                }
                for item in properties.get("NotificationsWithSubscribers", [])
            ],
            ResourceTags=tag_list(properties.get("ResourceTags")),
        )
        return budget["BudgetName"], {}

    def update(physical_id: str, _old: Properties, new: Properties, stack_name: str) -> Created:
        # CloudFormation has no smaller step either: notifications and tags of a budget only change with it.
        delete(physical_id, new)
        return create("", {**new, "Budget": {**new["Budget"], "BudgetName": physical_id}}, stack_name)

    def delete(physical_id: str, _properties: dict[str, Any]) -> None:
        try:
            runtime.client("budgets").delete_budget(AccountId=current_account(), BudgetName=physical_id)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NotFoundException":
                raise

    runtime.resource("AWS::Budgets::Budget", create=create, update=update, delete=delete)
