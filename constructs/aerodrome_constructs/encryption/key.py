"""A customer-managed KMS key that rotates, survives its stack, and can be lent to CloudWatch Logs."""

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

# The longest that KMS offers, and its default. It is written down as it is the time in which somebody has to notice
# that a key is about to go, with all that it encrypts
# (https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys.html).
_PENDING_WINDOW = cdk.Duration.days(30)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerKeyProps:
    """What a customer-managed key needs to know.

    Attributes:
        alias: The key's alias, without the leading ``alias/``.
        description: What the key encrypts, as the KMS console shows it.
        for_cloudwatch_logs: Whether CloudWatch Logs of the stack's region may use the key for log groups of the
            stack's account. CloudWatch Logs needs this in the key's own policy; an IAM policy does not do.
    """

    alias: str
    description: str
    for_cloudwatch_logs: bool = False


class CustomerKey(Construct):
    """A key that is rotated every year and retained when its stack goes: what it encrypted would be lost with it.

    Its policy names the account and, where asked for, one service: who may administer the key and who may use it is
    said in IAM policies, beside what they may do with what the key encrypts.

    Attributes:
        key: The key.
    """

    def __init__(self, scope: Construct, construct_id: str, props: CustomerKeyProps) -> None:
        super().__init__(scope, construct_id)
        self.key = kms.Key(
            self,
            "Resource",
            alias=props.alias,
            description=props.description,
            enable_key_rotation=True,
            pending_window=_PENDING_WINDOW,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        if props.for_cloudwatch_logs:
            self._lend_to_cloudwatch_logs()

    def _lend_to_cloudwatch_logs(self) -> None:
        # The statement that this page asks for:
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
        stack = cdk.Stack.of(self)
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="CloudWatchLogs",
                principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
                actions=["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
                resources=["*"],
                conditions={
                    "ArnLike": {
                        "kms:EncryptionContext:aws:logs:arn": stack.format_arn(
                            service="logs", resource="*", arn_format=cdk.ArnFormat.NO_RESOURCE_NAME
                        )
                    }
                },
            )
        )
