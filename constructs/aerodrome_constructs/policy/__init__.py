"""The house rules: what must hold in every template, one rule a file, the file named after the rule."""

from typing import Final

from aerodrome_constructs.policy import (
    batch_limits,
    eks_limits,
    iam_no_wildcard_actions,
    iam_no_wildcard_resources,
    iam_pass_role_bounded,
    iam_web_identity_exact,
    mandatory_tags,
    no_public_addresses,
    no_public_buckets,
    no_public_databases,
    no_public_endpoints,
    no_public_ingress,
    no_public_load_balancers,
    no_public_principals,
    stateful_resources_protected,
    stateful_resources_retained,
    stateful_stacks_protected,
)
from aerodrome_constructs.policy.acknowledgement import Acknowledgement, acknowledge, acknowledgements
from aerodrome_constructs.policy.known_rules import KnownRule
from aerodrome_constructs.policy.plugin import HouseRules
from aerodrome_constructs.policy.rule import Finding, Rule
from aerodrome_constructs.policy.template import Resource, Stacks, StackTemplate

HOUSE_RULES: Final = (
    stateful_resources_retained.RULE,
    stateful_resources_protected.RULE,
    stateful_stacks_protected.RULE,
    mandatory_tags.RULE,
    no_public_addresses.RULE,
    no_public_buckets.RULE,
    no_public_databases.RULE,
    no_public_endpoints.RULE,
    no_public_ingress.RULE,
    no_public_load_balancers.RULE,
    no_public_principals.RULE,
    iam_no_wildcard_actions.RULE,
    iam_no_wildcard_resources.RULE,
    iam_pass_role_bounded.RULE,
    iam_web_identity_exact.RULE,
    batch_limits.RULE,
    eks_limits.RULE,
)
"""Every rule, as ``docs/reference/policies.md`` lists them."""

__all__ = [
    "HOUSE_RULES",
    "Acknowledgement",
    "Finding",
    "HouseRules",
    "KnownRule",
    "Resource",
    "Rule",
    "StackTemplate",
    "Stacks",
    "acknowledge",
    "acknowledgements",
]
