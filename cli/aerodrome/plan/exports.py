"""Values that stacks hand to each other, and that CloudFormation refuses to change while another stack uses them."""

from collections.abc import Iterator, Mapping, Sequence

from aerodrome.plan.model import ResourceChange, Verdict
from aerodrome.plan.paths import references, same
from aerodrome.plan.templates import StackTemplate


def export_warnings(
    before: Sequence[StackTemplate], after: Sequence[StackTemplate], changes: Sequence[ResourceChange]
) -> list[str]:
    """A sentence for each export that the plan changes or removes, and that a stack uses as it is deployed.

    Args:
        before: The stacks as they are.
        after: The stacks as they are to be.
        changes: What the plan does to the resources.
    """
    users: dict[str, set[str]] = {}
    for stack in before:
        for name in _imports(stack.body):
            users.setdefault(name, set()).add(stack.name)
    replaced = {(change.stack_name, change.logical_id) for change in changes if change.verdict is Verdict.REPLACED}
    later = {stack.name: _exports(stack) for stack in after}
    warnings = []
    for stack in before:
        for name, value in _exports(stack).items():
            others = users.get(name, set()) - {stack.name}
            new = later.get(stack.name, {}).get(name)
            if not others or (same(value, new) and not _follows(value, stack.name, replaced)):
                continue
            happens = "goes away" if new is None else "gets another value"
            warnings.append(
                f"export {name} of {stack.name} {happens}, and {' and '.join(sorted(others))} uses it: CloudFormation "
                "refuses that while it is used. Deploy twice: first without the use, then this"
            )
    return warnings


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


def _follows(value: object, stack_name: str, replaced: set[tuple[str, str]]) -> bool:
    return any((stack_name, name) in replaced for _, name, _ in references(value))


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
