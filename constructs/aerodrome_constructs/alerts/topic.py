"""The topic that everything which needs a person is sent to."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

# Services that say on whose behalf they publish, so that the topic can refuse what is not on its account's: CloudWatch
# alarms (docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html), AWS Budgets
# (docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html), cost anomaly detection (ad-SNS.html
# there).
_ON_BEHALF_OF = ("cloudwatch.amazonaws.com", "budgets.amazonaws.com", "costalerts.amazonaws.com")
# Services for which AWS documents no such condition. EventBridge's calls fail under one
# (docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html); AWS Backup itself refuses a topic of
# another account (docs.aws.amazon.com/aws-backup/latest/devguide/backup-notifications.html).
_UNCONDITIONAL = ("events.amazonaws.com", "backup.amazonaws.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertTopicProps:
    """What a topic for alerts needs to know.

    Attributes:
        name: The topic's name.
        key: The key that encrypts the messages, with :func:`publishing_statement` in its policy.
        emails: Who gets the messages. AWS sends each address a link to confirm, and nothing else before that.
    """

    name: str
    key: kms.IKey
    emails: Sequence[str]


class AlertTopic(Construct):
    """A topic that AWS services of this account publish to, and that mails what they say.

    CloudWatch alarms, EventBridge rules, AWS Budgets, cost anomaly detection and AWS Backup may publish, over TLS.

    Attributes:
        topic: The topic.
    """

    def __init__(self, scope: Construct, construct_id: str, props: AlertTopicProps) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(self, "Resource", topic_name=props.name, master_key=props.key, enforce_ssl=True)
        self._allow("PublishForThisAccount", _ON_BEHALF_OF, {"StringEquals": {"aws:SourceAccount": self._account}})
        self._allow("Publish", _UNCONDITIONAL, None)
        for email in props.emails:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))

    @property
    def _account(self) -> str:
        return self.topic.env.account

    def _allow(self, sid: str, services: Sequence[str], conditions: dict[str, dict[str, str]] | None) -> None:
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid=sid,
                principals=[iam.ServicePrincipal(service) for service in services],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions=conditions,
            )
        )


def publishing_statement(topic_arn: str) -> iam.PolicyStatement:
    """What a key's own policy must say so that services can publish to a topic that is encrypted with it.

    SNS names the topic in the encryption context, so the key serves no other one; the topic's policy says on whose
    behalf it may be used. The conditions ``aws:SourceAccount`` and ``aws:SourceArn`` cannot stand here: with them the
    messages of EventBridge are lost (https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html).

    Args:
        topic_arn: The topic's ARN.
    """
    return iam.PolicyStatement(
        sid="PublishAlerts",
        principals=[iam.ServicePrincipal(service) for service in (*_ON_BEHALF_OF, *_UNCONDITIONAL)],
        actions=["kms:Decrypt", "kms:GenerateDataKey*"],
        resources=["*"],
        conditions={"StringEquals": {"kms:EncryptionContext:aws:sns:topicArn": topic_arn}},
    )
