"""What CloudFormation's own change set says of a stack, put into the words of a plan.

The change set decides what is replaced. Two things it leaves open, and here the reviewed rules take over: what an
update interrupts, and what "conditional" comes to. It calls a replacement conditional, too, where a property takes an
attribute of a resource that changes in any way; most of them, ARNs above all, stay as they are in an update in place.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aerodrome.plan.change_sets import ChangeSet
from aerodrome.plan.compare import compare_stacks
from aerodrome.plan.model import Fate, PropertyChange, ResourceChange, Verdict, property_order, worst
from aerodrome.plan.paths import written
from aerodrome.plan.rules import CHANGING_ATTRIBUTES, rule_for
from aerodrome.plan.templates import CDK_METADATA, StackTemplate, resource_name

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import ResourceChangeDetailTypeDef, ResourceChangeTypeDef

_ACTIONS = {
    "Add": Verdict.ADDED,
    "Import": Verdict.IN_PLACE,
    "Remove": Verdict.DELETED,
    "Dynamic": Verdict.MAY_BE_REPLACED,
}
_REPLACEMENT = {"True": Verdict.REPLACED, "Conditional": Verdict.MAY_BE_REPLACED, "False": Verdict.IN_PLACE}
_RECREATION = {"Always": Verdict.REPLACED, "Conditionally": Verdict.MAY_BE_REPLACED, "Never": Verdict.IN_PLACE}


def live_changes(
    before: StackTemplate, after: StackTemplate, change_set: ChangeSet
) -> tuple[list[ResourceChange], str]:
    """Every resource that an update of a deployed stack changes, and a warning where a change set says too little.

    Args:
        before: The stack as it is deployed.
        after: The stack as it is to be.
        change_set: What CloudFormation says.
    """
    by_schema = {change.logical_id: change for change in compare_stacks(before, after)}
    if change_set.refusal:
        return list(by_schema.values()), (
            f"CloudFormation makes no change set of {after.name}, so its verdicts are those of the schemas: "
            f"{change_set.refusal}"
        )
    reading = _Reading(before, after, change_set.changes, by_schema)
    changes = [
        change
        for logical_id, said in change_set.changes.items()
        if said.get("ResourceType") != CDK_METADATA and (change := reading.change(logical_id))
    ]
    silent = sorted(reading.silent)
    return changes, (
        f"CloudFormation's change set of {after.name} leaves open what happens to {', '.join(silent)}: the verdicts of "
        "what it leaves open are from the schemas"
        if silent
        else ""
    )


class _Reading:
    """One change set, read resource by resource."""

    def __init__(
        self,
        before: StackTemplate,
        after: StackTemplate,
        changes: "Mapping[str, ResourceChangeTypeDef]",
        by_schema: Mapping[str, ResourceChange],
    ) -> None:
        self.silent: set[str] = set()
        self._stack = after
        self._old, self._new = before.resources(), after.resources()
        self._changes = changes
        self._by_schema = by_schema
        self._under_way: set[str] = set()

    def change(self, logical_id: str) -> ResourceChange | None:
        """What happens to a resource. None: nothing that AWS would notice."""
        said = self._changes[logical_id]
        resource = self._new.get(logical_id) or self._old.get(logical_id) or {}
        schema = self._by_schema.get(logical_id)
        properties: tuple[PropertyChange, ...] = ()
        if said.get("Action") in _ACTIONS:
            verdict = _ACTIONS[said["Action"]]
        elif "Replacement" not in said:
            if schema is None:
                return None
            self.silent.add(schema.name)
            return schema
        else:
            properties = tuple(sorted(self._properties(logical_id).values(), key=property_order))
            if not properties:
                return None
            verdict = worst(change.verdict for change in properties)
        return ResourceChange(
            stack=self._stack.stack,
            stack_name=self._stack.name,
            logical_id=logical_id,
            name=resource_name(self._stack.stack, logical_id, resource),
            type=said.get("ResourceType", ""),
            verdict=verdict,
            properties=properties,
            fate=_fate(said, schema) if verdict.loses_the_old else None,
            notes=schema.notes if schema and verdict is Verdict.REPLACED else (),
        )

    def _properties(self, logical_id: str) -> dict[str, PropertyChange]:
        said = self._changes[logical_id]
        found: dict[str, PropertyChange] = {}
        for detail in said.get("Details", []):
            for change in self._of_detail(logical_id, detail):
                known = found.get(change.path)
                if known is None or worst((known.verdict, change.verdict)) is not known.verdict:
                    found[change.path] = change
        replaced = _REPLACEMENT[said["Replacement"]]
        if replaced is Verdict.REPLACED and Verdict.REPLACED not in {change.verdict for change in found.values()}:
            # Another type under the same logical ID, for example: no property tells of it.
            found["Type"] = PropertyChange(path="Type", verdict=Verdict.REPLACED)
        return found

    def _of_detail(self, logical_id: str, detail: "ResourceChangeDetailTypeDef") -> list[PropertyChange]:
        target = detail.get("Target", {})
        attribute = target.get("Attribute", "Properties")
        if attribute == "Metadata":
            return []
        if attribute != "Properties":
            path = "Tags" if attribute == "Tags" else f"{attribute} (attribute)"
            return [PropertyChange(path=path, verdict=Verdict.IN_PLACE)]
        if self._keeps_its_value(detail):
            return []
        path = _path(target.get("Path", "")) or target.get("Name", "")
        schema = self._by_schema.get(logical_id)
        inside = [
            one
            for one in (schema.properties if schema else ())
            if one.path == path or one.path.startswith((f"{path}.", f"{path}["))
        ]
        if schema and inside and "Path" not in target and _is_open(detail):
            # It names the property alone, and what changes inside may be what replaces the resource, or not.
            self.silent.add(schema.name)
            return inside
        alone = PropertyChange(
            path=path,
            verdict=Verdict.IN_PLACE,
            before=target.get("BeforeValue"),
            after=target.get("AfterValue"),
            follows=detail.get("CausingEntity", "").partition(".")[0],
        )
        return [self._judged(logical_id, one, detail) for one in inside or [alone]]

    def _judged(self, logical_id: str, change: PropertyChange, detail: "ResourceChangeDetailTypeDef") -> PropertyChange:
        """A property with the verdict of the change set, and of a rule where the change set leaves it open."""
        said = _RECREATION.get(detail.get("Target", {}).get("RequiresRecreation", ""), Verdict.MAY_BE_REPLACED)
        if said is Verdict.REPLACED and detail.get("Evaluation") == "Dynamic":
            said = self._following(detail)
        rule = rule_for(self._new[logical_id]["Type"], _names(change.path))
        properties = self._old[logical_id]["Properties"], self._new[logical_id]["Properties"]
        refused = rule is not None and rule.refuses(*properties)
        if rule and (said is not Verdict.REPLACED or refused):
            ruled = rule.verdict(*properties)
            # A change set that says "never" is believed, unless AWS refuses the change anyway.
            if said is Verdict.MAY_BE_REPLACED or refused or not ruled.loses_the_old:
                return _with(change, ruled, rule.reason(ruled), refused=refused)
        return _with(
            change, said, "CloudFormation decides during the deploy" if said is Verdict.MAY_BE_REPLACED else ""
        )

    def _keeps_its_value(self, detail: "ResourceChangeDetailTypeDef") -> bool:
        """Whether the only reason for a detail is a resource that is updated in place, with the attribute as it was."""
        entity, _, attribute = detail.get("CausingEntity", "").partition(".")
        if (
            detail.get("Evaluation") != "Dynamic"
            or entity not in self._changes
            or detail.get("ChangeSource") == "DirectModification"
        ):
            return False
        cause_type = self._changes[entity].get("ResourceType", "")
        if cause_type.startswith("Custom::") or attribute in CHANGING_ATTRIBUTES.get(cause_type, ()):
            return False
        return not self._verdict(entity).loses_the_old

    def _following(self, detail: "ResourceChangeDetailTypeDef") -> Verdict:
        """What a property comes to that replaces its resource if its value changes, as the value follows another."""
        entity = detail.get("CausingEntity", "").partition(".")[0]
        certain = entity in self._changes and self._verdict(entity) is Verdict.REPLACED
        return Verdict.REPLACED if certain else Verdict.MAY_BE_REPLACED

    def _verdict(self, logical_id: str) -> Verdict:
        if logical_id in self._under_way:  # a circle: CloudFormation's own word then
            return _REPLACEMENT[self._changes[logical_id].get("Replacement", "Conditional")]
        self._under_way.add(logical_id)
        try:
            change = self.change(logical_id)
        finally:
            self._under_way.discard(logical_id)
        return change.verdict if change else Verdict.IN_PLACE


def _with(change: PropertyChange, verdict: Verdict, why: str, *, refused: bool = False) -> PropertyChange:
    return PropertyChange(
        path=change.path,
        verdict=verdict,
        before=change.before,
        after=change.after,
        follows=change.follows,
        why=why,
        refused=refused,
    )


def _fate(said: "ResourceChangeTypeDef", schema: ResourceChange | None) -> Fate:
    action: Any = said.get("PolicyAction", "")
    if action.endswith("Retain"):
        return Fate.KEPT
    if action.endswith("Snapshot"):
        return Fate.SNAPSHOT
    # A conditional replacement has no policy action: the template's own policy holds then.
    return Fate.DELETED if action or not schema or schema.fate is None else schema.fate


def _is_open(detail: "ResourceChangeDetailTypeDef") -> bool:
    """Whether a detail says that its property may replace the resource, and that this needs no other to be known."""
    recreation = detail.get("Target", {}).get("RequiresRecreation", "")
    return recreation not in {"Always", "Never"} and detail.get("Evaluation") != "Dynamic"


def _path(pointer: str) -> str:
    """A pointer such as ``/Properties/Tags/0/Value`` as a plan writes it."""
    keys = pointer.removeprefix("/Properties").split("/")[1:]
    return written(tuple(int(key) if key.isdecimal() else key for key in keys))


def _names(path: str) -> str:
    return ".".join(part.partition("[")[0] for part in path.split("."))
