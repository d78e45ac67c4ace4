"""Values that stacks hand to each other, and that CloudFormation refuses to change while another stack uses them."""

from collections.abc import Iterator, Mapping, Sequence

from aerodrome.plan.model import ResourceChange, Verdict
from aerodrome.plan.paths import references, same
from aerodrome.plan.templates import StackTemplate

_MOST_NAMES = 3


def export_warnings(
    before: Sequence[StackTemplate], after: Sequence[StackTemplate], changes: Sequence[ResourceChange]
) -> list[str]:
    """A sentence for each stack that would change or take back values that others use as they are deployed.

    Args:
        before: The stacks as they are.
        after: The stacks as they are to be.
        changes: What the plan does to the resources.
    """
    users: dict[tuple[str, str], set[str]] = {}
    for stack in before:
        for name in _imports(stack.body):
            users.setdefault((stack.region, name), set()).add(stack.name)
    later = {stack.key: _exports(stack) for stack in after}
    warnings = []
    for stack in before:
        changed, gone = _affected(stack, later.get(stack.key, {}), changes)
        for names, happens in ((changed, "would change"), (gone, "would go away")):
            used = {name: others for name in names if (others := users.get((stack.region, name)))}
            if used:
                by = sorted(set().union(*used.values()))
                warnings.append(
                    f"what {stack.name} exports {happens} ({_listed(sorted(used))}) while {_listed(by)} "
                    f"{'uses' if len(by) == 1 else 'use'} it: CloudFormation refuses that. Deploy twice: first without "
                    "the use, then this"
                )
    return warnings


def removed_stack_warning(stack: StackTemplate) -> str:
    """What happens to a stack that the app no longer has."""
    protected = (
        ", and it has termination protection: nobody can delete it until a person switches that off"
        if stack.protected
        else ""
    )
    return (
        f"stack {stack.name} is no longer in the app. `cdk deploy` leaves it alone; whoever deletes it deletes its "
        f"{len(stack.resources())} resources{protected}"
    )


def _affected(
    stack: StackTemplate, later: Mapping[str, object], changes: Sequence[ResourceChange]
) -> tuple[list[str], list[str]]:
    """The exports of a stack that get another value, and those that go."""
    replaced = {
        change.logical_id
        for change in changes
        if change.stack_name == stack.name and change.verdict is Verdict.REPLACED
    }
    exports = _exports(stack)
    changed = [
        name
        for name, value in exports.items()
        if name in later
        and (not same(value, later[name]) or any(used in replaced for _, used, _ in references(later[name])))
    ]
    return changed, [name for name in exports if name not in later]


def _exports(stack: StackTemplate) -> dict[str, object]:
    return {
        output["Export"]["Name"]: output["Value"]
        for output in stack.outputs().values()
        if isinstance(output.get("Export", {}).get("Name"), str)
    }


def _imports(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == "Fn::ImportValue" and isinstance(item, str):
                yield item
            else:
                yield from _imports(item)
    elif isinstance(value, list):
        for item in value:
            yield from _imports(item)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return f"{shown} and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else shown
