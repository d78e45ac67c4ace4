"""``aerodrome check``: says what is wrong with the environments, or what they will build."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.box import ROUNDED
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aerodrome.summary import NOTICE, summary
from aerodrome_stacks.environment import (
    Environment,
    InvalidEnvironmentError,
    conflicts,
    environment_file,
    environment_names,
    load_environment,
)

_INVALID = 2


def check(
    env: Annotated[str | None, typer.Option("--env", "-e", help="The environment to check. Left out, all.")] = None,
    directory: Annotated[
        Path | None,
        typer.Option(help="Where the environments are. Left out, environments/ here or in the nearest folder above."),
    ] = None,
) -> None:
    """Check environments: print every problem and end with status 2, or print what they will build."""
    where = directory or _nearest_environments(Path.cwd())
    if where is None:
        _refuse(
            [f"aerodrome: no folder environments/ with YAML files in {Path.cwd()} or above; name it with --directory"]
        )
    names = environment_names(where) if env is None else (env,)
    if not names:
        _refuse([f"{where}: no environment here; an environment is a file such as {environment_file('dev', where)}"])
    valid: dict[str, Environment] = {}
    problems: list[str] = []
    for name in names:
        try:
            valid[str(environment_file(name, where))] = load_environment(name, where)
        except InvalidEnvironmentError as error:
            problems += error.problems
    problems += conflicts(valid)
    if env is not None:
        for neighbour in _neighbours(env, where):
            for file, environment in valid.items():
                problems += conflicts({file: environment, **neighbour})
    if problems:
        _refuse(problems)
    console = Console()
    for file, environment in valid.items():
        _print_summary(console, file, environment)


def _neighbours(name: str, where: Path) -> Iterator[dict[str, Environment]]:
    # What is wrong with another environment is told when that one is checked.
    for other in environment_names(where):
        if other != name:
            with contextlib.suppress(InvalidEnvironmentError):
                yield {str(environment_file(other, where)): load_environment(other, where)}


def _nearest_environments(start: Path) -> Path | None:
    for folder in (start, *start.parents):
        if environment_names(folder / "environments"):
            return Path(os.path.relpath(folder / "environments", start))
    return None


def _refuse(problems: Sequence[str]) -> NoReturn:
    # Written without wrapping: a problem is a line, on a terminal as in a log.
    for problem in problems:
        typer.echo(problem, err=True)
    raise typer.Exit(_INVALID)


def _print_summary(console: Console, file: str, environment: Environment) -> None:
    rows = summary(environment, file)
    if not console.is_terminal:
        typer.echo(f"{file}: valid")
        for label, text in rows:
            typer.echo(f"  {label}: {text}")
        return
    table = Table(box=ROUNDED, show_header=False, title=Text.assemble((file, "bold"), ": valid"), title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for label, text in rows:
        table.add_row(label, Text(text), style="yellow" if label == NOTICE else None)
    console.print(table)
