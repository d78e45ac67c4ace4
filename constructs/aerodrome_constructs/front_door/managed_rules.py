"""A group of rules that AWS writes and keeps up to date, and which of them only count here."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aws_cdk import aws_wafv2 as wafv2


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedRules:
    """A rule group of AWS.

    Attributes:
        name: Its name, such as ``AWSManagedRulesCommonRuleSet``.
        counted: Its rules that only count and let pass, by name, each with the reason. The reason is for the reader:
            AWS WAF has no place for it. Default: none.
    """

    name: str
    counted: Mapping[str, str] = field(default_factory=dict)

    def rule(self, priority: int) -> wafv2.CfnWebACL.RuleProperty:
        """The rule of a web ACL that applies the group.

        Args:
            priority: Its place among the rules of the web ACL, from 0.
        """
        return wafv2.CfnWebACL.RuleProperty(
            name=self.name,
            priority=priority,
            # What the group's own rules say is done.
            override_action=wafv2.CfnWebACL.OverrideActionProperty(none={}),
            statement=wafv2.CfnWebACL.StatementProperty(
                managed_rule_group_statement=wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(
                    vendor_name="AWS",
                    name=self.name,
                    rule_action_overrides=[
                        wafv2.CfnWebACL.RuleActionOverrideProperty(
                            name=rule, action_to_use=wafv2.CfnWebACL.RuleActionProperty(count={})
                        )
                        for rule in self.counted
                    ]
                    or None,
                )
            ),
            visibility_config=visible_as(self.name),
        )


def visible_as(metric: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    """Count what a rule or a web ACL does, and keep samples of the requests for three hours.

    Args:
        metric: The metric's name, or the value of its dimension ``Rule``.
    """
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=metric, sampled_requests_enabled=True
    )
