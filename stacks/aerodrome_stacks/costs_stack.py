"""The Costs stack: a budget, a watch for the unusual, and what was spent on what."""

from constructs import Construct

from aerodrome_constructs.costs import (
    CostAnomalies,
    CostAnomaliesProps,
    CostExport,
    CostExportProps,
    MonthlyBudget,
    MonthlyBudgetProps,
)
from aerodrome_constructs.storage import AccessLogBucket, AccessLogBucketProps
from aerodrome_stacks.alerts_stack import AlertsPorts
from aerodrome_stacks.base import ENVIRONMENT_TAG, AerodromeStack
from aerodrome_stacks.environment import Environment

BILLING_REGION = "us-east-1"
"""Where the billing services are. CloudFormation has not all of them elsewhere, exports in few regions."""


class CostsStack(AerodromeStack):
    """What the environment costs, told before it is spent, and kept so that it can be asked what it was spent on.

    It goes to the region of the billing services, whatever the environment's is. The topic stays in the environment's.
    """

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment, alerts: AlertsPorts) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="Budget of the environment, watch for unusual costs, export of costs with the shares of pods",
            holds_data=True,
            region=BILLING_REGION,
        )
        MonthlyBudget(
            self,
            "Budget",
            MonthlyBudgetProps(
                usd=environment.costs.monthly_usd,
                tag=(ENVIRONMENT_TAG, environment.name),
                topic=alerts.topic,
            ),
        )
        CostAnomalies(
            self,
            "Anomalies",
            CostAnomaliesProps(
                name=self.prefix,
                from_usd=environment.costs.anomaly_usd,
                monitor_arn=environment.costs.anomaly_monitor,
                topic=alerts.topic,
            ),
        )
        access_logs = AccessLogBucket(
            self, "AccessLogs", AccessLogBucketProps(expire_after=environment.retention.logs)
        ).bucket
        CostExport(self, "Export", CostExportProps(name=f"{self.prefix}-costs", access_logs=access_logs))
