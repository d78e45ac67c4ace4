"""What every synth must pass: the security packs of cdk-nag and the house rules.

Imported by ``app.py`` where it synthesizes, not above: the packs take 0.2 s to import, which those who only build the
stacks do not pay.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import aws_cdk as cdk
import jsii
from cdk_nag import AwsSolutionsChecks, HIPAASecurityChecks, NagPack, NIST80053R5Checks, PCIDSS321Checks
from constructs import IConstruct, IValidation

from aerodrome_constructs.policy import HOUSE_RULES, Acknowledgement, HouseRules


@dataclass(frozen=True, slots=True)
class PackFinding:
    """What a pack says of one resource.

    Attributes:
        rule: The rule as the pack calls it, such as ``AwsSolutions-IAM5``.
        part: The part of the resource that breaks it, such as ``Action::s3:*``. Empty: the resource as such.
        path: The construct path of the resource.
        problem: What is wrong, in the pack's words.
    """

    rule: str
    part: str
    path: str
    problem: str


def packs() -> tuple[NagPack, ...]:
    """The packs that every template must pass."""
    return (AwsSolutionsChecks(), HIPAASecurityChecks(), NIST80053R5Checks(), PCIDSS321Checks())


def guard(app: cdk.App, given: Sequence[Acknowledgement]) -> None:
    """Let the app's synth fail on every finding that is not acknowledged, and keep its warnings to those as well.

    Args:
        app: The app, with all its stacks.
        given: What was acknowledged while they were made.
    """
    for one in given:
        if not one.rule.by_finding:
            _acknowledge(one, one.rule.ids)
    app.node.add_validation(_Findings([one for one in given if one.rule.by_finding]))
    cdk.Validations.of(app).add_plugins(*packs(), HouseRules(HOUSE_RULES))


def pack_findings(pack: NagPack, scope: IConstruct) -> Iterator[PackFinding]:
    """What a pack finds below a construct and nobody has acknowledged to the CDK yet."""
    for violation in pack.validate_scope(scope).violations:
        rule, _, part = violation.rule_name.partition("[")
        for resource in violation.violating_resources:
            yield PackFinding(
                rule=rule,
                part=part.removesuffix("]"),
                path=resource.construct_path or "",
                problem=violation.description,
            )


@jsii.implements(IValidation)
class _Findings:
    """Acknowledges single findings by the names that they get in this synth.

    cdk-nag 3.0.2 wants each finding by its full name. An ARN of another stack is in it as the name of an export, which
    the CDK makes up during the synth: validations of constructs run after that, and before the packs.
    """

    def __init__(self, given: Sequence[Acknowledgement]) -> None:
        self._given = given

    def validate(self) -> list[str]:
        pack = AwsSolutionsChecks()
        for construct in dict.fromkeys(one.construct for one in self._given):
            found = {(finding.rule, finding.part) for finding in pack_findings(pack, construct)}
            for one in self._given:
                if one.construct is construct:
                    ids = [f"{rule}[{part}]" for rule, part in found if rule in one.rule.ids and one.covers(part)]
                    _acknowledge(one, ids)
        return []


def _acknowledge(given: Acknowledgement, ids: Sequence[str]) -> None:
    rules = [cdk.Acknowledgment(id=rule, reason=given.reason) for rule in ids]
    cdk.Validations.of(given.construct).acknowledge(*rules)
