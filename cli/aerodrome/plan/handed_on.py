"""What a replaced resource does to the users of its exports in other stacks, through ``Fn::ImportValue``.

The schemas of one stack, and CloudFormation's change set of it, know a value from another stack by its name alone. Over
all stacks of a plan, the value is seen to change, and with it the properties that take it.
"""

from collections.abc import Mapping, Sequence

from aerodrome.plan.compare import ComparedResource, common_resources
from aerodrome.plan.model import ResourceChange, Verdict
from aerodrome.plan.paths import imports, references, same
from aerodrome.plan.rules import CHANGING_ATTRIBUTES
from aerodrome.plan.templates import Body, StackTemplate, resource_name

Key = tuple[str, str]
"""A stack's region and name, or an export's: a name counts within its region."""
Cause = tuple[str, bool]
"""Why an export changes: the resource whose value it is, and whether that is certain."""


def hand_on(
    before: Sequence[StackTemplate], after: Sequence[StackTemplate], changes: Mapping[Key, Sequence[ResourceChange]]
) -> list[ResourceChange]:
    """The changes of all stacks, with those that follow a resource of another stack.

    Args:
        before: The stacks as they are.
        after: The stacks as they are to be.
        changes: What is known of each stack by itself, by its region and name.
    """
    earlier = {stack.key: stack for stack in before}
    both = [(earlier[stack.key], stack) for stack in after if stack.key in earlier]
    known = {new.key: _known(old, new, changes.get(new.key, ())) for old, new in both}
    worse: dict[Key, dict[str, ComparedResource]] = {key: {} for key in known}
    exports = {new.key: (exported(old), exported(new)) for old, new in both}
    news = True
    while news:  # A verdict only ever gets worse, so this comes to an end.
        moved = _moved(both, known, exports)
        news = False
        for _, stack in both:
            inherited = {name: cause for (region, name), cause in moved.items() if region == stack.region}
            for logical_id, resource in known[stack.key].items():
                if resource.follow_imports(inherited) | resource.follow(worse[stack.key]):
                    worse[stack.key][logical_id] = resource
                    news = True
    found = [change for key, some in changes.items() for change in some if change.logical_id not in worse.get(key, {})]
    return found + [resource.change(stack) for _, stack in both for resource in worse[stack.key].values()]


def exported(stack: StackTemplate) -> dict[str, object]:
    """What a stack exports, by name."""
    return {
        output["Export"]["Name"]: output["Value"]
        for output in stack.outputs().values()
        if isinstance(output.get("Export", {}).get("Name"), str)
    }


def _known(
    before: StackTemplate, after: StackTemplate, changes: Sequence[ResourceChange]
) -> dict[str, ComparedResource]:
    resources = common_resources(before, after)
    said = {change.logical_id: change for change in changes}
    for logical_id, resource in resources.items():
        change = said.get(logical_id)
        # A change set may say more than the schemas, or less. Without a property it is the schemas that say which.
        if change is None or change.properties:
            resource.changes = {one.path: one for one in change.properties} if change else {}
    return resources


def _moved(
    both: Sequence[tuple[StackTemplate, StackTemplate]],
    known: Mapping[Key, Mapping[str, ComparedResource]],
    exports: Mapping[Key, tuple[Mapping[str, object], Mapping[str, object]]],
) -> dict[Key, Cause]:
    """The exports whose value becomes another one although it is written as before, each with its cause."""
    moved: dict[Key, Cause] = {}
    news = True
    while news:  # An export may be made of what its stack imports.
        news = False
        for _, stack in both:
            old, new = exports[stack.key]
            for name, value in new.items():
                key = (stack.region, name)
                if key in moved or name not in old or not same(value, old[name]):
                    continue
                cause = _cause(value, stack, known[stack.key])
                inherited = [found for _, used in imports(value) if (found := moved.get((stack.region, used)))]
                if cause or inherited:
                    moved[key] = cause or inherited[0]
                    news = True
    return moved


def _cause(value: object, stack: StackTemplate, resources: Mapping[str, ComparedResource]) -> Cause | None:
    causes = [
        (resource_name(stack.stack, name, resource.new), resource.verdict is not Verdict.MAY_BE_REPLACED)
        for _, name, attribute in references(value)
        if (resource := resources.get(name)) and changes_value(resource.verdict, resource.type, attribute)
    ]
    return max(causes, key=lambda cause: cause[1], default=None)


def changes_value(verdict: Verdict | None, resource_type: str, attribute: str) -> bool:
    """Whether a changed resource has another value in an attribute afterwards, or may. Empty: its ``Ref``."""
    if verdict is None:
        return False
    return verdict.loses_the_old or attribute in CHANGING_ATTRIBUTES.get(resource_type, ())


def used_exports(stack: StackTemplate) -> set[str]:
    """The exports of other stacks that a stack uses."""
    values: list[Body] = [*stack.resources().values(), *stack.outputs().values()]
    return {name for value in values for _, name in imports(value)}
