"""What an update does to the resources of a stack, from the template before and the template after.

The verdict of a changed property is that of the resource's schema, or of a reviewed rule where the schema does not say.
A reference takes part: when a resource is replaced, every property that names it changes its value, and where that
property replaces its own resource, so on. Attributes of a resource beside its properties (``DependsOn``, ``Metadata``,
``Condition``) change nothing in AWS, unless the condition takes the resource away.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from aerodrome.plan.model import Fate, PropertyChange, ResourceChange, Verdict, property_order, worst
from aerodrome.plan.paths import Path, differences, imports, overlaps, references, same, values_at, written
from aerodrome.plan.rules import CHANGING_ATTRIBUTES, Rule, rule_for
from aerodrome.plan.schemas import Pattern, ResourceSchema, resource_schema
from aerodrome.plan.templates import Body, StackTemplate, resource_name

# What CloudFormation itself acts on. A change of one is an update of the stack and leaves the resource as it is.
_ATTRIBUTES = ("CreationPolicy", "DeletionPolicy", "UpdatePolicy", "UpdateReplacePolicy")
_FATES = {"Retain": Fate.KEPT, "RetainExceptOnCreate": Fate.KEPT, "Snapshot": Fate.SNAPSHOT}
_SNAPSHOT_UNLESS_TOLD = ("AWS::RDS::DBCluster", "AWS::RDS::DBInstance")


def compare_stacks(before: StackTemplate | None, after: StackTemplate | None) -> list[ResourceChange]:
    """Every resource of a stack that an update changes.

    Args:
        before: The stack as it is. None: it is new.
        after: The stack as it is to be. None: it goes away.
    """
    stack = after or before
    if stack is None:
        return []
    old = before.resources() if before else {}
    new = after.resources() if after else {}
    common = _common(old, new, stack.region)
    _follow_references(common)
    changes = [resource.change(stack) for resource in common.values() if resource.changes]
    changes += [
        _whole(stack, logical_id, old[logical_id], Verdict.DELETED, fate_of_deleted(old[logical_id]))
        for logical_id in old.keys() - new.keys()
    ]
    changes += [_whole(stack, key, new[key], Verdict.ADDED) for key in new.keys() - old.keys()]
    return changes


def common_resources(before: StackTemplate, after: StackTemplate) -> dict[str, "ComparedResource"]:
    """The resources that are in both templates of a stack, each with its own changes, by logical ID."""
    return _common(before.resources(), after.resources(), after.region)


def fate_of_deleted(resource: Body) -> Fate:
    """What becomes of a resource that leaves its stack."""
    alone = "DBClusterIdentifier" not in resource.get("Properties", {})
    unless_told = "Snapshot" if resource["Type"] in _SNAPSHOT_UNLESS_TOLD and alone else "Delete"
    return _FATES.get(resource.get("DeletionPolicy", unless_told), Fate.DELETED)


def fate_of_replaced(resource: Body) -> Fate:
    """What becomes of a resource in whose place a new one comes."""
    return _FATES.get(resource.get("UpdateReplacePolicy", "Delete"), Fate.DELETED)


def property_change(
    resource: "ComparedResource", path: Path, *, follows: str = "", certain: bool = True
) -> PropertyChange:
    """A changed property with its verdict."""
    verdict, why = resource.effect(path)
    rule = resource.rule(path)
    refused = rule is not None and rule.refuses(resource.old_properties, resource.new_properties)
    if not certain and verdict is Verdict.REPLACED:
        verdict = Verdict.MAY_BE_REPLACED
    before, after = (_value(properties, path) for properties in (resource.old_properties, resource.new_properties))
    return PropertyChange(
        path=written(path), verdict=verdict, before=before, after=after, follows=follows, why=why, refused=refused
    )


@dataclass(slots=True)
class ComparedResource:
    """A resource in both templates, and what is known of its changes so far."""

    logical_id: str
    old: Body
    new: Body
    region: str
    changes: dict[str, PropertyChange] = field(default_factory=dict)
    schema: ResourceSchema | None = None

    def __post_init__(self) -> None:
        self.schema = resource_schema(self.type, self.region)
        if self.old["Type"] != self.type:
            self._record(
                PropertyChange(path="Type", verdict=Verdict.REPLACED, before=self.old["Type"], after=self.type)
            )
            return
        for difference in differences(self.old_properties, self.new_properties):
            self._record(property_change(self, difference.path))
        for attribute in _ATTRIBUTES:
            before, after = self.old.get(attribute), self.new.get(attribute)
            if not same(before, after):
                path = f"{attribute} (attribute)"
                self._record(PropertyChange(path=path, verdict=Verdict.IN_PLACE, before=before, after=after))

    @property
    def type(self) -> str:
        """The CloudFormation type."""
        return str(self.new["Type"])

    @property
    def old_properties(self) -> Body:
        """The properties before."""
        properties: Body = self.old["Properties"]
        return properties

    @property
    def new_properties(self) -> Body:
        """The properties afterwards."""
        properties: Body = self.new["Properties"]
        return properties

    @property
    def verdict(self) -> Verdict | None:
        """What happens to it, as far as is known. None: nothing."""
        return worst(change.verdict for change in self.changes.values()) if self.changes else None

    def effect(self, path: Path) -> tuple[Verdict, str]:
        """What a changed value at a place does to the resource, and why where the schema does not say."""
        if self.schema is None:
            return Verdict.MAY_BE_REPLACED, f"cfn-lint ships no schema of {self.type}"
        if not self.schema.updatable or any(self._changes_at(path, pattern) for pattern in self.schema.create_only):
            return Verdict.REPLACED, ""
        if rule := self.rule(path):
            verdict = rule.verdict(self.old_properties, self.new_properties)
            return verdict, rule.reason(verdict)
        if any(self._changes_at(path, pattern) for pattern in self.schema.conditional):
            return Verdict.MAY_BE_REPLACED, "under a condition that the schema does not name"
        return Verdict.IN_PLACE, ""

    def rule(self, path: Path) -> Rule | None:
        """The reviewed rule of a place."""
        # Positions in lists are no names: a rule of `Tags` holds for `Tags[0]`.
        return rule_for(self.type, ".".join(key for key in path if isinstance(key, str)))

    def _changes_at(self, path: Path, pattern: tuple[str, ...]) -> bool:
        """Whether what a pattern names changes when the value at a place does."""
        if not overlaps(path, pattern):
            return False
        if sum(isinstance(key, str) for key in path) >= sum(name != "*" for name in pattern):
            return True
        # The change lies around the named property, which may be the same in both.
        old, new = values_at(self.old_properties, pattern), values_at(self.new_properties, pattern)
        return not same(old, new) or any(True for value in new for _ in (*references(value), *imports(value)))

    def follow(self, others: Mapping[str, "ComparedResource"]) -> bool:
        """Take in what the changes of others do to this one, and return whether that was news."""
        news = False
        for path, name, attribute in references(self.new_properties):
            other = others.get(name)
            if other is None or other is self or other.verdict is None or self.old["Type"] != self.type:
                continue
            if not (other.verdict.loses_the_old or attribute in CHANGING_ATTRIBUTES.get(other.type, ())):
                continue
            certain = other.verdict is not Verdict.MAY_BE_REPLACED
            news |= self._record(property_change(self, path, follows=name, certain=certain))
        return news

    def follow_imports(self, moved: Mapping[str, tuple[str, bool]]) -> bool:
        """Take in that exports of other stacks change, and return whether that was news.

        Args:
            moved: Export to the resource whose value it is, and whether that one is replaced for certain.
        """
        if self.old["Type"] != self.type:
            return False
        causes = [(path, *moved[name]) for path, name in imports(self.new_properties) if name in moved]
        changed = [property_change(self, path, follows=cause, certain=certain) for path, cause, certain in causes]
        return any(self._record(change) for change in changed)

    def _record(self, change: PropertyChange) -> bool:
        known = self.changes.get(change.path)
        if known is not None and worst((known.verdict, change.verdict)) is known.verdict:
            return False
        self.changes[change.path] = change
        return True

    def change(self, stack: StackTemplate) -> ResourceChange:
        """The change as a plan says it."""
        verdict = worst(change.verdict for change in self.changes.values())
        return ResourceChange(
            stack=stack.stack,
            stack_name=stack.name,
            logical_id=self.logical_id,
            name=resource_name(stack.stack, self.logical_id, self.new),
            type=self.type,
            verdict=verdict,
            properties=tuple(sorted(self.changes.values(), key=property_order)),
            fate=fate_of_replaced(self.new) if verdict.loses_the_old else None,
            notes=tuple(self._notes(verdict)),
        )

    def _notes(self, verdict: Verdict) -> Iterator[str]:
        if self.old["Type"] != self.type:
            yield (
                f"CloudFormation refuses another type ({self.old['Type']} before) under the same logical ID: give the "
                "new resource another construct ID"
            )
        elif verdict is Verdict.REPLACED and (kept := self._kept_name()):
            yield (
                f"CloudFormation refuses to make a second one of the same name: choose another {kept}, or none, "
                "so that it is generated"
            )

    def _kept_name(self) -> str:
        """The properties that name the resource, where the template chooses them all and keeps them."""
        if self.schema is None or self.schema.deleted_first:
            return ""
        # Some services identify a resource by an ARN or ID of theirs, and let it have a name of ours besides.
        own = ((f"{self.type.rpartition('::')[2]}Name",), ("Name",))
        named = (self.schema.identifier, *([pattern] for pattern in self.schema.create_only if pattern in own))
        return next(
            (" and ".join(".".join(one) for one in patterns) for patterns in named if self._keeps(patterns)), ""
        )

    def _keeps(self, patterns: Sequence[Pattern]) -> bool:
        """Whether the template gives all these properties, and gives them the values that they had."""
        changed = {change.path.partition(".")[0] for change in self.changes.values()}
        return bool(patterns) and all(
            pattern[0] not in changed
            and (new := values_at(self.new_properties, pattern))
            and same(values_at(self.old_properties, pattern), new)
            for pattern in patterns
        )


def _common(old: Mapping[str, Body], new: Mapping[str, Body], region: str) -> dict[str, ComparedResource]:
    return {
        logical_id: ComparedResource(logical_id, old[logical_id], new[logical_id], region)
        for logical_id in old.keys() & new.keys()
    }


def _follow_references(resources: Mapping[str, ComparedResource]) -> None:
    # A verdict only ever gets worse, so this comes to an end.
    while any(resource.follow(resources) for resource in resources.values()):
        pass


def _whole(
    stack: StackTemplate, logical_id: str, resource: Body, verdict: Verdict, fate: Fate | None = None
) -> ResourceChange:
    return ResourceChange(
        stack=stack.stack,
        stack_name=stack.name,
        logical_id=logical_id,
        name=resource_name(stack.stack, logical_id, resource),
        type=resource["Type"],
        verdict=verdict,
        fate=fate,
    )


def _value(properties: object, path: Path) -> object:
    value = properties
    for key in path:
        if isinstance(value, Mapping) and isinstance(key, str):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return value
    return value
