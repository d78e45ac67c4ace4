"""A plan as people read it: a table with the worst first, what to look out for, and what stops it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import typer
from rich.box import ROUNDED
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aerodrome.plan.gate import Judgement
from aerodrome.plan.model import Fate, Plan, PropertyChange, ResourceChange, Verdict

_STYLES = {
    Verdict.DELETED: "bold red",
    Verdict.REPLACED: "bold red",
    Verdict.MAY_BE_REPLACED: "red",
    Verdict.WITH_INTERRUPTION: "yellow",
    Verdict.IN_PLACE: "",
    Verdict.ADDED: "green",
}
_MARKS = {
    Verdict.REPLACED: "forces replacement",
    Verdict.MAY_BE_REPLACED: "may force replacement",
}
# Lines of a table that can be taken in; `--json` has them all.
_MOST_PROPERTIES = 6
_MOST_ADDED = 5
_LONGEST_VALUE = 28


def print_plan(plan: Plan, judgement: Judgement, environment: str, file: str) -> None:
    """Print a plan.

    Args:
        plan: The plan.
        judgement: What the environment says to it.
        environment: The environment's name.
        file: The environment's file.
    """
    console = Console(highlight=False)
    typer.echo(f"{environment}: this work tree against {plan.base}")
    if plan.changes:
        console.print(_table(plan.changes))
    typer.echo(summary(plan.changes))
    for change, reason in judgement.allowed:
        typer.echo(f"allowed: {change.name} may be {_done(change)}: {reason}")
    for warning in (*plan.warnings, *_stale(judgement, file)):
        typer.echo(f"warning: {warning}")
    if judgement.stopped:
        typer.echo("\n".join(_stop(judgement.stopped, file)))


def summary(changes: Sequence[ResourceChange]) -> str:
    """How many resources change, and how."""
    if not changes:
        return "Nothing would change."
    counts = Counter(change.verdict for change in changes)
    parts = [f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]]
    return f"{len(changes)} {'resource' if len(changes) == 1 else 'resources'}: {', '.join(parts)}."


def stale_warnings(judgement: Judgement, file: str) -> list[str]:
    """A sentence for each entry of the environment's file that the plan does not need."""
    return list(_stale(judgement, file))


def _table(changes: Sequence[ResourceChange]) -> Table:
    table = Table(box=ROUNDED, show_lines=True, expand=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column("resource", overflow="fold", ratio=2)
    table.add_column("what changes", overflow="fold", ratio=3)
    names = {(change.stack_name, change.logical_id): change.name for change in changes}
    new = Counter(change.stack for change in changes if change.verdict is Verdict.ADDED)
    for change in changes:
        if change.verdict is Verdict.ADDED and new[change.stack] > _MOST_ADDED:
            continue
        table.add_row(
            Text(change.verdict, style=_STYLES[change.verdict]),
            Text.assemble(change.name, "\n", (change.type, "dim")),
            Text("\n").join(Text(line) for line in _lines(change, names)),
        )
    for stack, count in sorted(new.items()):
        if count > _MOST_ADDED:
            table.add_row(Text(Verdict.ADDED, style=_STYLES[Verdict.ADDED]), Text(stack), Text(f"{count} resources"))
    return table


def _lines(change: ResourceChange, names: Mapping[tuple[str, str], str]) -> Iterator[str]:
    shown = _shortened(change.properties)
    for one in shown[:_MOST_PROPERTIES]:
        yield _property(one, names.get((change.stack_name, one.follows), one.follows))
    if len(shown) > _MOST_PROPERTIES:
        yield f"and {len(shown) - _MOST_PROPERTIES} more"
    if change.verdict.loses_the_old and change.data:
        yield f"holds {change.data}"
    if change.fate and (change.data or change.fate is not Fate.DELETED):
        yield f"the old one is {change.fate}"
    yield from change.notes


def _shortened(properties: Sequence[PropertyChange]) -> list[PropertyChange]:
    """The properties without those that say the same again: positions of one list that follow the same resource."""
    seen: dict[tuple[str, Verdict, str], PropertyChange] = {}
    for one in properties:
        key = one.path.partition("[")[0] if one.follows else one.path
        seen.setdefault((key, one.verdict, one.follows), one)
    return list(seen.values())


def _property(change: PropertyChange, cause: str) -> str:
    notes = "; ".join(note for note in (_MARKS.get(change.verdict, ""), change.why) if note)
    return f"{change.path}{f': follows {cause}' if cause else _difference(change)}{f' ({notes})' if notes else ''}"


def _difference(change: PropertyChange) -> str:
    if change.before is None:
        return f": {_shown(change.after)} added" if _is_short(change.after) else ": added"
    if change.after is None:
        return f": {_shown(change.before)} removed" if _is_short(change.before) else ": removed"
    if _is_short(change.before) and _is_short(change.after):
        return f": {_shown(change.before)} → {_shown(change.after)}"
    return ""


def _is_short(value: object) -> bool:
    return isinstance(value, (str, int, float)) and len(str(value)) <= _LONGEST_VALUE


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _stale(judgement: Judgement, file: str) -> Iterator[str]:
    for entry in judgement.stale:
        yield (
            f"{file}: allowed_replacements names {entry.resource}, which this plan neither replaces nor deletes: "
            "remove the entry if that is done, or correct the name"
        )


def _stop(stopped: Sequence[ResourceChange], file: str) -> Iterator[str]:
    yield ""
    yield f"Stopped: this would lose data, and {file} does not say that it may:"
    for change in stopped:
        fate = f"; the old one is {change.fate}" if change.fate else ""
        yield f"  {change.name} ({change.type}) {_will(change)}: it holds {change.data}{fate}"
    yield f"Where that is meant, {file} says why, until it is deployed:"
    yield ""
    yield "allowed_replacements:"
    for change in stopped:
        yield f"  - resource: {change.name}"
        yield "    reason: where the data is kept, or why nobody needs it"


def _done(change: ResourceChange) -> str:
    return "deleted" if change.verdict is Verdict.DELETED else "replaced"


def _will(change: ResourceChange) -> str:
    return "may be replaced" if change.verdict is Verdict.MAY_BE_REPLACED else f"would be {change.verdict}"
