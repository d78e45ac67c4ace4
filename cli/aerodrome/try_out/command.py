"""``aerodrome try``: the verb and its exit status."""

from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from aerodrome.embedded_aws import EmbeddedAwsError
from aerodrome.project import PROJECT, NotInstalledError
from aerodrome.try_out import steps
from aerodrome.try_out.deploy import CdkError
from aerodrome.try_out.display import Display
from aerodrome.try_out.job import JobError
from aerodrome_stacks.environment import InvalidEnvironmentError, load_environment

_FAILED = 1
_INVALID = 2
_INTERRUPTED = 130


def try_out(
    env: Annotated[str, typer.Option("--env", "-e", help="The environment to deploy.")] = "dev",
    state_dir: Annotated[
        Path | None, typer.Option(help="Where the embedded AWS keeps its state. Left out, .aerodrome/local.")
    ] = None,
) -> None:
    """Deploy the platform to an AWS on this machine, and run a job and a Flyte workflow on it.

    What an earlier run did is kept: a second run changes nothing, and one after an interrupted run goes on.
    """
    try:
        environment = load_environment(env, PROJECT.environments)
        steps.run(
            environment,
            (state_dir or PROJECT.embedded_aws_state).absolute(),
            Display(Console(highlight=False, soft_wrap=True)),
        )
    except InvalidEnvironmentError as error:
        typer.echo("\n".join(error.problems), err=True)
        raise typer.Exit(_INVALID) from None
    except (NotInstalledError, EmbeddedAwsError, CdkError, JobError, BotoCoreError, ClientError) as error:
        typer.echo(f"\naerodrome try: {error}", err=True)
        raise typer.Exit(_FAILED) from None
    except KeyboardInterrupt:
        typer.echo(
            "\naerodrome try: interrupted. The embedded AWS is still up: `make try` goes on from here, "
            "`.venv/bin/aerodrome local down` stops it.",
            err=True,
        )
        raise typer.Exit(_INTERRUPTED) from None
