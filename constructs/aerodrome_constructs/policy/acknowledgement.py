"""Saying beside a resource which rule it breaks, and why that is right."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from fnmatch import fnmatchcase

from constructs import IConstruct

from aerodrome_constructs.policy.known_rules import KnownRule

# What the CDK calls the export of an attribute: the stack's name, then the logical ID, the attribute and a hash.
_EXPORT = re.compile(r"[\w-]+:ExportsOutputFnGetAtt(?P<name>\w+[0-9A-F]{8})(?P<attribute>[A-Z]\w*?)[0-9A-F]{8}(?!\w)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """A rule that a construct, or something in it, breaks on purpose.

    Attributes:
        construct: The construct.
        rule: The rule.
        reason: Why it is right here.
        findings: Which findings are meant, of a rule that reports its findings one by one.
    """

    construct: IConstruct
    rule: KnownRule
    reason: str
    findings: tuple[str, ...]

    def covers(self, finding: str) -> bool:
        """Whether a finding of the rule, such as ``Action::s3:*``, is meant."""
        return not self.rule.by_finding or any(fnmatchcase(_by_name(finding), one) for one in self.findings)


def _by_name(finding: str) -> str:
    """A finding with what another stack exports named as if it stood in this one: ``<Bucket491E13A2.Arn>``."""
    return _EXPORT.sub(lambda match: f"<{match['name']}.{match['attribute']}>", finding)


_given: ContextVar[list[Acknowledgement] | None] = ContextVar("_given", default=None)


def acknowledge(construct: IConstruct, *rules: KnownRule, reason: str, findings: Sequence[str] = ()) -> None:
    """Acknowledge that a construct breaks rules on purpose.

    It tells the CDK nothing, as that would cost each synth a question for each rule: who checks the rules collects what
    was said (:func:`acknowledgements`), and hands it on.

    Args:
        construct: The construct. What is below it is covered, too.
        rules: The rules.
        reason: Why it is right here, as a sentence about this resource.
        findings: For rules that report their findings one by one, which of them: patterns in which ``*`` stands for
            anything and ``[*]`` for a star, such as ``Resource::<*.Arn>/[*]``. What is another stack's has the name
            that it has there. Default: none, for rules that do not.

    Raises:
        ValueError: If the rules report their findings one by one and none is named, or the other way round.
    """
    for rule in rules:
        if rule.by_finding != bool(findings):
            expected = "name those that are meant" if rule.by_finding else "the rule has none to name"
            raise ValueError(
                f"{construct.node.path} acknowledges {rule.name} with the findings {list(findings)}; {expected}"
            )
    given = _given.get()
    if given is not None:
        given += [
            Acknowledgement(construct=construct, rule=rule, reason=reason, findings=tuple(findings)) for rule in rules
        ]


@contextmanager
def acknowledgements() -> Iterator[list[Acknowledgement]]:
    """Collect what is acknowledged while constructs are made."""
    collected: list[Acknowledgement] = []
    token = _given.set(collected)
    try:
        yield collected
    finally:
        _given.reset(token)
