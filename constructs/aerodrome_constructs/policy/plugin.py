"""The house rules as a validation plugin of the CDK: what they find stands in the same report as all other findings."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import aws_cdk as cdk
import jsii

from aerodrome_constructs.policy.rule import Finding, Rule
from aerodrome_constructs.policy.template import Stacks, StackTemplate


@jsii.implements(cdk.IPolicyValidationPlugin)
class HouseRules:
    """Checks every synthesized template against rules; a finding fails the synth.

    It reads the templates once, from the cloud assembly, and asks the CDK about no construct: each question would cost
    more than all rules together. A finding is acknowledged on its construct under the ID ``Aerodrome::<rule>``.

    Args:
        rules: The rules.
    """

    NAME: Final = "Aerodrome"

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)

    @property
    def name(self) -> str:
        """How the report calls it."""
        return self.NAME

    @property
    def version(self) -> str | None:
        """None: the rules are those of the commit."""
        return None

    @property
    def rule_ids(self) -> list[str]:
        """The names of the rules."""
        return [rule.name for rule in self._rules]

    def validate(self, context: cdk.IPolicyValidationContext) -> cdk.PolicyValidationPluginReport:
        """Check the templates of an assembly.

        Args:
            context: Where they are.
        """
        stacks = [
            read_template(Path(stack.template_path), stack.stack_construct_path) for stack in context.stack_templates
        ]
        violations = [violation for rule in self._rules for violation in _violations(rule, stacks)]
        return cdk.PolicyValidationPluginReport(success=not violations, violations=violations)


def read_template(file: Path, construct_path: str) -> StackTemplate:
    """Read the template of one stack from a cloud assembly.

    Args:
        file: The template.
        construct_path: The stack's construct path.
    """
    manifest = json.loads(file.with_name("manifest.json").read_text(encoding="utf-8"))
    (properties,) = (
        artifact["properties"]
        for artifact in manifest["artifacts"].values()
        if artifact.get("properties", {}).get("templateFile") == file.name
    )
    return StackTemplate(
        path=construct_path,
        file=str(file),
        template=json.loads(file.read_text(encoding="utf-8")),
        termination_protection=properties.get("terminationProtection", False),
    )


def _violations(rule: Rule, stacks: Stacks) -> Iterator[cdk.PolicyViolation]:
    files = {stack.path: stack.file for stack in stacks}
    # The report has one description for each violation, whatever the number of resources.
    by_problem: dict[str, list[Finding]] = {}
    for finding in rule.check(stacks):
        by_problem.setdefault(finding.problem, []).append(finding)
    for problem, findings in by_problem.items():
        yield cdk.PolicyViolation(
            rule_name=rule.name,
            description=f"{problem}. {rule.asks}",
            fix=rule.mend,
            severity="error",
            violating_resources=[_resource(finding, files) for finding in findings],
        )


def _resource(finding: Finding, files: Mapping[str, str]) -> cdk.PolicyViolatingResource:
    locations = [finding.location] if finding.location else []
    if not finding.logical_id:
        return cdk.PolicyViolatingResource(construct_path=finding.stack, locations=locations)
    return cdk.PolicyViolatingResource(
        resource_logical_id=finding.logical_id, template_path=files[finding.stack], locations=locations
    )
