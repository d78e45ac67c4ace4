"""A domain from which emails may be sent."""

from dataclasses import dataclass
from datetime import timedelta

import aws_cdk as cdk
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_ses as ses
from aws_cdk import aws_sns as sns
from constructs import Construct

from aerodrome_constructs.alerts import Metric, MetricAlarm, MetricAlarmProps

# Amazon SES looks at an account from 5 % on, and stops it at 10 % (Developer Guide, "Amazon SES sending review process
# FAQs", bounces).
_BOUNCES_PERCENT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailSenderProps:
    """What a sender of emails needs to know.

    Attributes:
        domain: The domain behind the ``@``.
        hosted_zone_id: The Route 53 zone of that domain, in which it is proved that the domain is ours.
        configuration_set: The name of the settings with which emails are sent.
        topic: Who is told when emails come back.
        runbook: The page that says what to do, from the root of this repository: ``runbooks/<slug>.md``.
    """

    domain: str
    hosted_zone_id: str
    configuration_set: str
    topic: sns.ITopic
    runbook: str


class EmailSender(Construct):
    """A domain that Amazon SES signs for (DKIM), with three records in its zone that hold the public keys.

    Emails are handed on over TLS alone, and none goes to an address that refused one before. An alarm tells when too
    many come back.

    Attributes:
        identity_arn: The ARN of the domain, on which the right to send is given.
        configuration_set_arn: The ARN of the settings, on which it is needed, too, as the domain has them by default.
    """

    def __init__(self, scope: Construct, construct_id: str, props: EmailSenderProps) -> None:
        super().__init__(scope, construct_id)
        settings = ses.CfnConfigurationSet(
            self,
            "Settings",
            name=props.configuration_set,
            delivery_options=ses.CfnConfigurationSet.DeliveryOptionsProperty(tls_policy="REQUIRE"),
            reputation_options=ses.CfnConfigurationSet.ReputationOptionsProperty(reputation_metrics_enabled=True),
            suppression_options=ses.CfnConfigurationSet.SuppressionOptionsProperty(
                suppressed_reasons=["BOUNCE", "COMPLAINT"]
            ),
        )
        identity = ses.CfnEmailIdentity(
            self,
            "Identity",
            email_identity=props.domain,
            configuration_set_attributes=ses.CfnEmailIdentity.ConfigurationSetAttributesProperty(
                configuration_set_name=settings.ref
            ),
            dkim_attributes=ses.CfnEmailIdentity.DkimAttributesProperty(signing_enabled=True),
            dkim_signing_attributes=ses.CfnEmailIdentity.DkimSigningAttributesProperty(
                next_signing_key_length="RSA_2048_BIT"
            ),
            # What comes back is counted, and the address is not written to again. Nobody reads the sender's mail.
            feedback_attributes=ses.CfnEmailIdentity.FeedbackAttributesProperty(email_forwarding_enabled=False),
        )
        records = (
            (identity.attr_dkim_dns_token_name1, identity.attr_dkim_dns_token_value1),
            (identity.attr_dkim_dns_token_name2, identity.attr_dkim_dns_token_value2),
            (identity.attr_dkim_dns_token_name3, identity.attr_dkim_dns_token_value3),
        )
        for number, (name, value) in enumerate(records, start=1):
            route53.CfnRecordSet(
                self,
                f"Key{number}",
                hosted_zone_id=props.hosted_zone_id,
                name=name,
                type="CNAME",
                ttl="1800",
                resource_records=[value],
            )
        self._watch_bounces(props)
        self.identity_arn = self._arn(f"identity/{props.domain}")
        self.configuration_set_arn = self._arn(f"configuration-set/{props.configuration_set}")

    def _arn(self, resource: str) -> str:
        stack = cdk.Stack.of(self)
        return f"arn:{stack.partition}:ses:{stack.region}:{stack.account}:{resource}"

    def _watch_bounces(self, props: EmailSenderProps) -> None:
        MetricAlarm(
            self,
            "Bounces",
            MetricAlarmProps(
                name=f"{props.configuration_set}-bounces",
                meaning=f"More than {_BOUNCES_PERCENT} % of emails come back. At 10 % Amazon SES stops the account.",
                runbook=props.runbook,
                metric=Metric(
                    "AWS/SES",
                    "Reputation.BounceRate",
                    {"ses:configuration-set": props.configuration_set},
                    "Average",
                ),
                period=timedelta(hours=1),
                periods=1,
                comparison="GreaterThanThreshold",
                threshold=_BOUNCES_PERCENT / 100,
                topic=props.topic,
            ),
        )
