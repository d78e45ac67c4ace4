"""Values that stacks hand to each other, and that CloudFormation refuses to change while another stack uses them."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from aerodrome.plan.handed_on import changes_value, exported, used_exports
from aerodrome.plan.model import ResourceChange, Verdict
from aerodrome.plan.paths import references, same
from aerodrome.plan.templates import StackTemplate

_MOST_NAMES = 3


_TWICE = "Deploy twice: first without the use, then this"
_USERS_FIRST = "Deploy what uses it first, alone and without the use (`cdk deploy --exclusively`), then the rest"
_REBUILT = (
    "What uses it has to be rebuilt, too: make the new one beside the old one, move the users to it, and remove the "
    "old one in a later deploy"
)


def refused_exports(
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
        for name in used_exports(stack):
            users.setdefault((stack.region, name), set()).add(stack.name)
    later = {stack.key: exported(stack) for stack in after}
    sentences = []
    for stack in before:
        # A stack that the app no longer has stays deployed, with what it exports.
        if stack.key not in later:
            continue
        staying = {name for region, name in later if region == stack.region}
        replaced, edited, gone = _affected(stack, later[stack.key], changes)
        for names, happens, advice in (
            (replaced, "would change with its resource", _REBUILT),
            (edited, "would change", _TWICE),
            (gone, "would go away", _USERS_FIRST),
        ):
            used = {name: others for name in names if (others := users.get((stack.region, name)))}
            if used:
                by = sorted(set().union(*used.values()))
                sentences.append(
                    f"what {stack.name} exports {happens} ({_listed(sorted(used))}) while {_listed(by)} "
                    f"{'uses' if len(by) == 1 else 'use'} it: CloudFormation refuses that. "
                    f"{'. '.join(_advice(by, staying, advice))}"
                )
    return sentences


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


def _advice(users: Sequence[str], staying: AbstractSet[str], advice: str) -> Iterator[str]:
    """What helps, of users that are still in the app and of those that are not."""
    if any(user in staying for user in users):
        yield advice
    if left := [user for user in users if user not in staying]:
        yield (
            f"No longer in the app, and left as deployed, uses and all: {_listed(left)}. Let the value be exported as "
            "before (`export_value`), or delete what is left first, if nobody needs it"
        )


def _affected(
    stack: StackTemplate, later: Mapping[str, object], changes: Sequence[ResourceChange]
) -> tuple[list[str], list[str], list[str]]:
    """The exports of a stack that change with their resource, those that are written differently, and those that go."""
    verdicts = {change.logical_id: change for change in changes if change.stack_name == stack.name}
    replaced, edited, gone = [], [], []
    for name, value in exported(stack).items():
        if name not in later:
            gone.append(name)
            continue
        causes = [
            change.verdict
            for _, used, attribute in references(later[name])
            if (change := verdicts.get(used)) and changes_value(change.verdict, change.type, attribute)
        ]
        if Verdict.REPLACED in causes:
            replaced.append(name)
        # What may be replaced may as well keep its value: nobody can say that this is refused.
        elif not same(value, later[name]) or set(causes) - {Verdict.MAY_BE_REPLACED}:
            edited.append(name)
    return replaced, edited, gone


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return f"{shown} and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else shown
