"""``aerodrome check-workflows``: the verb and its exit status."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from aerodrome.check_workflows.ceilings import beyond
from aerodrome.check_workflows.facts import Package, Task
from aerodrome.check_workflows.jobs import described, misnamed, unfit, unheard
from aerodrome.check_workflows.load import LoadError, default_python, here, load, source
from aerodrome.check_workflows.plugins import unsupported
from aerodrome.check_workflows.references import foreign
from aerodrome.check_workflows.rules import Finding, findings
from aerodrome.check_workflows.schedules import crowding
from aerodrome.project import PROJECT
from aerodrome.waiting import waiting
from aerodrome_stacks.environment import Environment, InvalidEnvironmentError, load_environment
from aerodrome_stacks.environment.wording import listing

_REFUSED = 2
_MOST_NAMED = 5
"""Files that a line names, so that it stays one that is read."""


def check_workflows(
    context: typer.Context,
    package: Annotated[
        str,
        typer.Argument(help="A folder or a file with Flyte workflows, or a package's dotted name.", metavar="PACKAGE"),
    ],
    *,
    env: Annotated[
        str | None, typer.Option("--env", "-e", help="Hold tasks against what this environment has, too.")
    ] = None,
    project: Annotated[
        str | None,
        typer.Option(
            "--project", "-p", help="The project that it is for: hold it against this one's quotas and what it may use."
        ),
    ] = None,
    python: Annotated[
        Path | None,
        typer.Option(help="The interpreter that has flytekit. Left out, .venv-workflows/bin/python, or this one."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a package of Flyte workflows before it is registered: refuse what AWS Batch would not do, with status 2.

    Prints every problem with its reason and the way out, or what runs where. Nothing is registered, and no image built.
    """
    try:
        environment = None if env is None else load_environment(env, PROJECT.environments)
        _require(project, environment)
        _require_one(package, context.args)
        where = source(package)
        with waiting(f"loading {package}"):
            loaded = load(where, python or default_python(), _tell)
    except InvalidEnvironmentError as error:
        typer.echo("\n".join(error.problems), err=True)
        raise typer.Exit(_REFUSED) from None
    except LoadError as error:
        for line in str(error).splitlines():
            _tell(line)
        raise typer.Exit(_REFUSED) from None
    left_out = [here(str(file), where) for file in where.left_out]
    found = [
        replace(finding, place=finding.place and here(finding.place, where))
        for finding in _found(loaded, environment, project)
    ]
    if as_json:
        typer.echo(json.dumps(_document(loaded, left_out, found), indent=2))
    else:
        if left_out:
            typer.echo(_left_out(package, left_out, where.files), err=True)
        _print(package, loaded, found)
    if any(finding.refused for finding in found):
        raise typer.Exit(_REFUSED)


def _tell(line: str) -> None:
    typer.echo(f"aerodrome check-workflows: {line}", err=True)


def _left_out(name: str, left_out: Sequence[str], files: int) -> str:
    more = len(left_out) - _MOST_NAMED
    named = ", ".join(left_out[:_MOST_NAMED]) + (f" and {more} more (--json names them all)" if more > 0 else "")
    verb = "was not loaded, as it imports" if len(left_out) == 1 else "were not loaded, as they import"
    return (
        f"{name}: {len(left_out)} of {_counted(range(files), 'file')} {verb} nothing of flytekit: {named}; "
        "name a file to have it loaded"
    )


def _require(project: str | None, environment: Environment | None) -> None:
    if project is None:
        return
    if environment is None:
        raise LoadError(f"--project {project}: what a project may use is the environment's to say; add --env")
    names = [one.name for one in environment.projects]
    if project not in names:
        raise LoadError(f"--project {project}: no project of {environment.name}; there are {listing(names)}")


def _require_one(package: str, others: Sequence[str]) -> None:
    if others:
        raise LoadError(
            f"{' '.join([package, *others])}: one package at a time; name the folder that they are in, or one after "
            "the other"
        )


def _found(package: Package, environment: Environment | None, project: str | None) -> Sequence[Finding]:
    if environment is None:
        return [*findings(package), *unheard(package), *misnamed(package), *crowding(package, None)]
    own = tuple(one for one in environment.projects if project in {None, one.name})
    registered = environment.model_copy(update={"projects": own})
    return [
        *findings(package),
        *unheard(package),
        *misnamed(package),
        *crowding(package, registered),
        *beyond(package, registered),
        *unfit(package, registered),
        *foreign(package, environment, project),
        *unsupported(package, environment),
    ]


def _print(name: str, package: Package, found: Sequence[Finding]) -> None:
    # Written without wrapping: a problem is a line, on a terminal as in a log.
    for finding in found:
        place = f"{finding.place}: " if finding.place else ""
        kind = "" if finding.refused else "warning: "
        typer.echo(f"{place}{kind}{finding.subject}: {finding.value}: {finding.reason}; {finding.way_out}", err=True)
    refused = [finding for finding in found if finding.refused]
    warnings = [finding for finding in found if not finding.refused]
    counts = [
        *([f"{len(refused)} refused"] if refused else []),
        *([_counted(warnings, "warning")] if warnings else []),
    ]
    if counts:
        typer.echo(", ".join(counts), err=True)
    if refused:
        return
    typer.echo(
        f"{name}: {_counted(package.tasks, 'task')}, {_counted(package.workflows, 'workflow')}, "
        f"{_counted(package.launch_plans, 'launch plan')}; nothing that AWS Batch would not do"
    )
    by_connector = [task for task in package.tasks if task.by_connector]
    on_batch = [task for task in package.tasks if task.on_batch]
    pods = [task for task in package.tasks if not task.by_connector and not task.on_batch]
    _section("on AWS Batch", [(task.name, described(task)) for task in by_connector])
    _section("on AWS Batch, by Flyte's own plugin", [(task.name, _by_plugin(task)) for task in on_batch])
    _section("as pods", [(task.name, _as_pod(task)) for task in pods])
    _section(
        "registered before",
        # Once, however many nodes run it.
        list(dict.fromkeys((one.name, f"{one.kind} of {one.project} in {one.domain}") for one in package.references)),
    )


def _section(title: str, rows: Sequence[tuple[str, str]]) -> None:
    if rows:
        typer.echo(f"  {title}:")
        width = max(len(name) for name, _ in rows)
        for name, text in rows:
            typer.echo(f"    {name:{width}}  {text}")


def _by_plugin(task: Task) -> str:
    ask = task.ask
    longest = "24 h" if ask.timeout is None else str(timedelta(seconds=ask.timeout))
    vcpus = "the default vCPUs" if ask.vcpus is None else _counted(range(ask.vcpus), "vCPU")
    memory = "the default memory" if ask.memory is None else f"{ask.memory} MiB"
    return f"{vcpus}, {memory}, {ask.attempts} attempts of at most {longest} each"


def _as_pod(task: Task) -> str:
    resources = ", ".join(f"{name.lower().replace('_', ' ')} {value}" for name, value in task.resources.items())
    said = [
        resources or "the default resources",
        *(["cached"] if task.metadata.get("discoverable", False) else []),
        *(["interruptible"] if task.metadata.get("interruptible", False) else []),
        *(["dynamic"] if task.dynamic else []),
    ]
    return ", ".join(said)


def _counted(things: Sequence[object], noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def _asks(task: Task) -> Mapping[str, object] | None:
    """What it asks AWS Batch for: of the connector what flytekit_aws_batch wrote, of the plugin what a job gets."""
    if task.by_connector:
        return task.custom
    return asdict(task.ask) if task.on_batch else None


def _document(package: Package, left_out: Sequence[str], found: Sequence[Finding]) -> dict[str, object]:
    return {
        "tasks": [{"name": task.name, "type": task.template["type"], "asks": _asks(task)} for task in package.tasks],
        "workflows": list(package.workflows),
        "launch_plans": list(package.launch_plans),
        "references": [asdict(reference) for reference in package.references],
        "left_out": list(left_out),
        "findings": [asdict(finding) for finding in found],
    }
