"""A plan as programs read it: ``aerodrome plan --json``, documented in docs/reference/plan.md."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from aerodrome.plan.gate import Judgement
from aerodrome.plan.model import Plan, PropertyChange, ResourceChange, Verdict
from aerodrome_stacks.environment import Environment

_FORMAT = 1
"""Counts up when a key goes away or means something else. New keys leave it."""


def plan_document(
    plan: Plan, judgement: Judgement, environment: Environment, warnings: Sequence[str]
) -> dict[str, Any]:
    """The plan as a JSON document.

    Args:
        plan: The plan.
        judgement: What the environment says to it.
        environment: The environment.
        warnings: What a reader has to know, beside the plan's own warnings.
    """
    reasons = {id(change): reason for change, reason in judgement.allowed}
    counts = Counter(change.verdict for change in plan.changes)
    return {
        "format": _FORMAT,
        "environment": environment.name,
        "account": environment.account,
        "region": environment.region,
        "against": {"ref": plan.base.ref, "commit": plan.base.commit} if plan.base.ref else "deployed",
        "counts": {verdict.value: counts[verdict] for verdict in Verdict},
        "stopped": [change.name for change in judgement.stopped],
        "refused": list(plan.refused),
        "warnings": [*plan.warnings, *warnings],
        "changes": [_change(change, reasons.get(id(change))) for change in plan.changes],
    }


def _change(change: ResourceChange, allowed: str | None) -> dict[str, Any]:
    return {
        "resource": change.name,
        "stack": change.stack,
        "stack_name": change.stack_name,
        "logical_id": change.logical_id,
        "type": change.type,
        "verdict": change.verdict.value,
        "old": change.fate.value if change.fate else None,
        "data": change.data or None,
        "allowed": allowed,
        "notes": list(change.notes),
        "properties": [_property(one) for one in change.properties],
    }


def _property(change: PropertyChange) -> dict[str, Any]:
    return {
        "path": change.path,
        "verdict": change.verdict.value,
        "before": change.before,
        "after": change.after,
        "follows": change.follows or None,
        "why": change.why or None,
        "refused": change.refused,
    }
