"""Costs that are out of the ordinary."""

import json
from dataclasses import dataclass

from aws_cdk import aws_ce as ce
from aws_cdk import aws_sns as sns
from constructs import Construct


@dataclass(frozen=True, slots=True, kw_only=True)
class CostAnomaliesProps:
    """What the watch for anomalies needs to know.

    Attributes:
        name: The name of the monitor and of its subscription.
        from_usd: From how many US dollars on an anomaly is told of: what it cost beyond what was expected.
        monitor_arn: The monitor of services that the account already has. Default: one is made.
        topic: Where anomalies are told. Its policy, and its key's, let cost anomaly detection publish.
    """

    name: str
    from_usd: int
    topic: sns.ITopic
    monitor_arn: str | None = None


class CostAnomalies(Construct):
    """A monitor of every AWS service that the account uses, and a subscription that tells of each anomaly at once.

    By service and not by tag: only the management account of an organization may monitor a tag
    (https://docs.aws.amazon.com/cost-management/latest/userguide/getting-started-ad.html). An account has one monitor
    of this kind, which may be there already: AWS makes it where Cost Explorer is switched on.
    """

    def __init__(self, scope: Construct, construct_id: str, props: CostAnomaliesProps) -> None:
        super().__init__(scope, construct_id)
        ce.CfnAnomalySubscription(
            self,
            "Subscription",
            subscription_name=props.name,
            monitor_arn_list=[props.monitor_arn or self._monitor(props.name)],
            # The only frequency for which SNS is a subscriber: the others are mails with a digest.
            frequency="IMMEDIATE",
            subscribers=[
                ce.CfnAnomalySubscription.SubscriberProperty(type="SNS", address=props.topic.topic_arn),
            ],
            threshold_expression=json.dumps(
                {
                    "Dimensions": {
                        "Key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE",
                        "MatchOptions": ["GREATER_THAN_OR_EQUAL"],
                        "Values": [str(props.from_usd)],
                    }
                }
            ),
        )

    def _monitor(self, name: str) -> str:
        monitor = ce.CfnAnomalyMonitor(
            self, "Monitor", monitor_name=name, monitor_type="DIMENSIONAL", monitor_dimension="SERVICE"
        )
        return monitor.attr_monitor_arn
