"""What ``aerodrome try`` shows while it works: a moving line on a terminal, plain lines otherwise."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text


@dataclass(slots=True)
class Step:
    """A step under way.

    Attributes:
        title: What it does.
        result: What came out of it, in a few words. Set it before the step ends.
    """

    title: str
    result: str = ""
    _status: Status | None = None

    def progress(self, text: str) -> None:
        """Show how far the step is. Not shown where there is no terminal: a log needs no moving line."""
        if self._status is not None:
            self._status.update(f"{self.title}: {text}")


@dataclass(slots=True)
class Display:
    """Shows steps, and remembers how long each took.

    Attributes:
        console: Where to.
        seconds: How long each finished step took, by its title.
    """

    console: Console
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show a step while it is under way, and a line with its result and duration when it is done."""
        step = Step(title)
        begin = time.monotonic()
        if self.console.is_terminal:
            with self.console.status(title) as status:
                step._status = status  # noqa: SLF001 - the display and its steps are one thing
                yield step
        else:
            yield step
        self.seconds[title] = time.monotonic() - begin
        result = f": {step.result}" if step.result else ""
        self.console.print(f"[green]✓[/] {title}{result} [dim]({self.seconds[title]:.1f} s)[/]")

    def left_out(self, title: str, reason: str) -> None:
        """Print that a step was left out, and why."""
        self.console.print(f"[yellow]-[/] {title}: left out: {reason}")

    def table(self, table: Table) -> None:
        """Print a table without the blanks that fill up its last column."""
        for segments in self.console.render_lines(table, pad=False):
            line = Text.assemble(*((segment.text, segment.style or "") for segment in segments))
            line.rstrip()
            self.console.print(line)
