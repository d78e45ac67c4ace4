"""``aerodrome local``: the embedded AWS's own commands, run by the interpreter of its virtual environment."""

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from aerodrome import flyte_runs
from aerodrome.embedded_aws import EmbeddedAwsError
from aerodrome.project import PROJECT, NotInstalledError

app = typer.Typer(name="local", help="An AWS that runs on loopback.", no_args_is_help=True)

StateDir = Annotated[
    Path | None, typer.Option("--state-dir", help="Its directory. Left out, .aerodrome/local in the project.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

# Of the caller's shell: they would be taken before what the embedded AWS needs, or beside it.
_IN_THE_WAY = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN")


@app.command()
def up(*, state_dir: StateDir = None, as_json: Json = False) -> None:
    """Start it, and wait until it answers."""
    _run("up", state_dir, as_json=as_json)


@app.command()
def down(*, state_dir: StateDir = None, as_json: Json = False) -> None:
    """Stop it and everything that it started. Its state stays."""
    _run("down", state_dir, as_json=as_json)


@app.command()
def status(*, state_dir: StateDir = None, as_json: Json = False) -> None:
    """Say whether it is up, what it holds, and how to use it. Ends with status 3 when it is down."""
    _run("status", state_dir, as_json=as_json)


@app.command()
def logs(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many of the last lines.")] = 100,
    state_dir: StateDir = None,
) -> None:
    """Print its log."""
    _run("logs", state_dir, "--lines", str(lines), *(["--follow"] if follow else []))


@app.command()
def reset(*, state_dir: StateDir = None, as_json: Json = False) -> None:
    """Stop it and delete its state."""
    _run("reset", state_dir, as_json=as_json)


@app.command()
def releases(
    name: Annotated[str | None, typer.Argument(help="A release, to see its values and manifests.")] = None,
    *,
    state_dir: StateDir = None,
    as_json: Json = False,
) -> None:
    """List the recorded Helm releases, or show one."""
    _run("releases", state_dir, *([name] if name else []), as_json=as_json)


@app.command()
def flyte(
    *,
    env: Annotated[
        str | None, typer.Option("--env", "-e", help="The environment. Left out, the one that is deployed.")
    ] = None,
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="Whose tasks they are. Left out, its first project's.")
    ] = None,
    domain: Annotated[
        str | None, typer.Option("--domain", "-d", help="In which domain. Left out, the project's first.")
    ] = None,
    state_dir: StateDir = None,
    as_json: Json = False,
) -> None:
    """Say how `pyflyte run` here runs tasks as jobs of it: lines for a shell.

    Writes the connector's settings to a file, as the platform that is deployed has them.
    """
    directory = (state_dir or PROJECT.embedded_aws_state).absolute()
    try:
        runs = flyte_runs.find(directory, env=env, project=project, domain=domain)
    except (NotInstalledError, EmbeddedAwsError) as error:
        typer.echo(f"aerodrome: {error}", err=True)
        raise typer.Exit(1) from None
    variables = runs.variables(runs.write(flyte_runs.folder_of(directory)))
    if as_json:
        typer.echo(json.dumps(variables, indent=2))
        return
    typer.echo(f"# Tasks of {runs.project} in {runs.domain} as jobs of the embedded AWS, once a shell has taken this:")
    typer.echo(f'#   pyflyte run --raw-output-data-prefix "${flyte_runs.RAW_OUTPUT}" FILE WORKFLOW')
    if unset := [name for name in _IN_THE_WAY if name in os.environ]:
        typer.echo(f"unset {' '.join(unset)}")
    for name, value in variables.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def _run(verb: str, state_dir: Path | None, *arguments: str, as_json: bool = False) -> None:
    try:
        python = PROJECT.embedded_aws_python
    except NotInstalledError as error:
        typer.echo(f"aerodrome: {error}", err=True)
        raise typer.Exit(1) from error
    command: list[str | Path] = [python, "-m", "aerodrome_local", verb, *arguments]
    command += ["--state-dir", state_dir or PROJECT.embedded_aws_state]
    command += ["--json"] if as_json else []
    # Nothing of this terminal is caught: Ctrl-C, the progress and the exit status are the command's own.
    process = subprocess.Popen(command, env=PROJECT.environment_variables())
    while True:
        try:
            raise typer.Exit(process.wait())
        except KeyboardInterrupt:
            continue  # the command got it, too, and ends by itself
