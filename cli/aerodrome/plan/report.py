"""A plan as people read it: a table with the worst first, what to look out for, and what stops it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import typer
from rich.box import ROUNDED
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
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


class _Name:
    """A construct path, which goes on in the next line behind a slash where it does not fit into one."""

    def __init__(self, name: str) -> None:
        self._parts = [f"{part}/" for part in name.split("/")]
        self._parts[-1] = self._parts[-1].removesuffix("/")

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        line = ""
        for part in self._parts:
            if line and len(line) + len(part) > options.max_width:
                yield Text(line, overflow="fold")
                line = ""
            line += part
        yield Text(line, overflow="fold")

    def __rich_measure__(self, _: Console, options: ConsoleOptions) -> Measurement:
        longest = max(len(part) for part in self._parts)
        whole = sum(len(part) for part in self._parts)
        return Measurement(longest, whole).with_maximum(options.max_width)


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
    if plan.refused:
        typer.echo("\n".join(_refusal(plan.refused)))
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
    table.add_column("resource, and what changes", overflow="fold")
    names = {(change.stack_name, change.logical_id): change.name for change in changes}
    together = dict(_together(changes))
    for change in changes:
        if change not in together.get(change.stack, ()):
            lines = Text("\n").join(Text(line) for line in _lines(change, names))
            what = [Padding(lines, (0, 0, 0, 2))] if lines else []
            verdict = Text(change.verdict, style=_STYLES[change.verdict])
            table.add_row(verdict, Group(_Name(change.name), Text(change.type, style="dim"), *what))
    for stack, new in sorted(together.items()):
        types = Counter(change.type for change in new).most_common()
        kinds = Text(", ".join(f"{count} {name}" for name, count in types), style="dim")
        verdict = Text(Verdict.ADDED, style=_STYLES[Verdict.ADDED])
        table.add_row(verdict, Group(Text(f"{stack}: {len(new)} resources"), kinds))
    return table


def _together(changes: Sequence[ResourceChange]) -> Iterator[tuple[str, list[ResourceChange]]]:
    """The new resources of each stack that share a row: those without data, and all where many have some."""
    for stack in {change.stack for change in changes}:
        new = [change for change in changes if change.stack == stack and change.verdict is Verdict.ADDED]
        plain = [change for change in new if not change.data]
        shared = new if len(new) - len(plain) > _MOST_ADDED else plain
        if len(shared) > 1:
            yield stack, shared


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
    if isinstance(change.before, list) and isinstance(change.after, list):
        return _items(change.before, change.after)
    return ""


def _items(before: Sequence[object], after: Sequence[object]) -> str:
    """What a list loses and gains, where its items are short."""
    gone = [item for item in before if item not in after]
    new = [item for item in after if item not in before]
    if not (gone or new) or not all(_is_short(item) for item in (*gone, *new)):
        return ""
    parts = [f"{', '.join(map(_shown, some))} {what}" for some, what in ((new, "added"), (gone, "removed")) if some]
    return f": {'; '.join(parts)}"


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


def _refusal(refused: Sequence[str]) -> Iterator[str]:
    yield ""
    yield "Refused: AWS does not do this, and the deploy would fail:"
    yield from (f"  {reason}" for reason in refused)


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
