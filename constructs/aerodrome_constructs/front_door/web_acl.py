"""A web ACL of AWS WAF for an application load balancer, and the log of what it refused."""

from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from aerodrome_constructs.front_door.managed_rules import ManagedRules, visible_as

# AWS WAF writes to log groups whose names begin so, and to no other (Developer Guide, "Sending web ACL traffic logs to
# Amazon CloudWatch Logs").
_LOG_PREFIX = "aws-waf-logs-"

# Who has one of these is whoever it was given to: they stay out of the log.
_SECRET_HEADERS = ("authorization", "cookie", "flyte-authorization")

# What the log keeps of a request: what was refused, and what a rule would have refused that only counts.
_LOGGED_ACTIONS = ("BLOCK", "COUNT", "EXCLUDED_AS_COUNT")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAclProps:
    """What a web ACL needs to know.

    Attributes:
        name: Its name. Its log group is called ``aws-waf-logs-<name>``.
        managed: The rule groups of AWS, the first one first.
        requests_per_address: How many requests one address may send in five minutes, at least 10. Further ones are
            refused with status 429 until it is fewer again.
        log_key: The key that encrypts the log. Its policy must let CloudWatch Logs of the region use it.
        log_retention: How long the log is kept.
    """

    name: str
    managed: Sequence[ManagedRules]
    requests_per_address: int
    log_key: kms.IKey
    log_retention: logs.RetentionDays


class WebAcl(Construct):
    """A web ACL that lets pass what no rule refuses.

    Attributes:
        arn: The web ACL's ARN.
    """

    def __init__(self, scope: Construct, construct_id: str, props: WebAclProps) -> None:
        super().__init__(scope, construct_id)
        rules = [_rate_limit(props.requests_per_address, priority=0)]
        rules += [group.rule(priority) for priority, group in enumerate(props.managed, start=1)]
        web_acl = wafv2.CfnWebACL(
            self,
            "Resource",
            name=props.name,
            scope="REGIONAL",
            default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
            rules=rules,
            visibility_config=visible_as(props.name),
        )
        self.arn: str = web_acl.attr_arn
        self._keep_log(props)

    def _keep_log(self, props: WebAclProps) -> None:
        name = f"{_LOG_PREFIX}{props.name}"
        group = logs.LogGroup(
            self,
            "Log",
            log_group_name=name,
            retention=props.log_retention,
            encryption_key=props.log_key,
            # Not when its creation is rolled back: its name would be taken at the next try.
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        logging = wafv2.CfnLoggingConfiguration(
            self,
            "Logging",
            resource_arn=self.arn,
            # The group's own ARN ends in ":*", which AWS WAF does not take.
            log_destination_configs=[
                cdk.Stack.of(self).format_arn(
                    service="logs",
                    resource="log-group",
                    resource_name=name,
                    arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                )
            ],
            redacted_fields=[
                wafv2.CfnLoggingConfiguration.FieldToMatchProperty(single_header={"Name": header})
                for header in _SECRET_HEADERS
            ],
            # What passes is in the load balancer's access log already.
            logging_filter={
                "DefaultBehavior": "DROP",
                "Filters": [
                    {
                        "Behavior": "KEEP",
                        "Requirement": "MEETS_ANY",
                        "Conditions": [{"ActionCondition": {"Action": action}} for action in _LOGGED_ACTIONS],
                    }
                ],
            },
        )
        logging.node.add_dependency(group)


def _rate_limit(requests: int, *, priority: int) -> wafv2.CfnWebACL.RuleProperty:
    return wafv2.CfnWebACL.RuleProperty(
        name="RequestsPerAddress",
        priority=priority,
        action=wafv2.CfnWebACL.RuleActionProperty(
            block=wafv2.CfnWebACL.BlockActionProperty(
                # Clients that are told so wait and try again; 403, which is AWS WAF's own, they take for a refusal.
                custom_response=wafv2.CfnWebACL.CustomResponseProperty(response_code=429)
            )
        ),
        statement=wafv2.CfnWebACL.StatementProperty(
            rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
                aggregate_key_type="IP", limit=requests, evaluation_window_sec=300
            )
        ),
        visibility_config=visible_as("RequestsPerAddress"),
    )
