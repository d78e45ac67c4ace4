"""``aerodrome plan``: the verb and its exit status."""

import json
from typing import Annotated

import typer

from aerodrome.plan.gate import judge
from aerodrome.plan.machine import plan_document
from aerodrome.plan.make import plan_against_commit, plan_against_deployed
from aerodrome.plan.model import Plan, PlanError
from aerodrome.plan.report import print_plan, stale_warnings
from aerodrome.project import PROJECT
from aerodrome.waiting import waiting
from aerodrome_stacks.environment import Environment, InvalidEnvironmentError, environment_file, load_environment

_INVALID = 2
_STOPPED = 3
_REFUSED = 4


def plan(
    env: Annotated[str, typer.Option("--env", "-e", help="The environment.")],
    *,
    against: Annotated[
        str | None, typer.Option(metavar="REF", help="The commit to compare with. Left out, HEAD: what you edited.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Compare with what is deployed, by change sets.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a deploy would do to each resource: in place, with interruption, replaced or deleted.

    Ends with status 3 if a resource with data would be replaced or deleted, and the environment's file does not say why
    it may; otherwise with 4 if AWS would refuse the deploy.
    """
    try:
        environment = load_environment(env, PROJECT.environments)
        with waiting(_at(env, against, live=live)):
            made = _make(environment, against, live=live)
    except InvalidEnvironmentError as error:
        typer.echo("\n".join(error.problems), err=True)
        raise typer.Exit(_INVALID) from None
    except PlanError as error:
        typer.echo(f"aerodrome plan: {error}", err=True)
        raise typer.Exit(_INVALID) from None
    judgement = judge(made.changes, environment.allowed_replacements)
    file = str(environment_file(env, PROJECT.environments))
    if as_json:
        typer.echo(json.dumps(plan_document(made, judgement, environment, stale_warnings(judgement, file)), indent=2))
    else:
        print_plan(made, judgement, env, file)
    if judgement.stopped:
        raise typer.Exit(_STOPPED)
    if made.refused:
        raise typer.Exit(_REFUSED)


def _make(environment: Environment, against: str | None, *, live: bool) -> Plan:
    if live and against is not None:
        raise PlanError("--live and --against: compare with what is deployed, or with a commit; not with both")
    if live:
        return plan_against_deployed(PROJECT, environment)
    return plan_against_commit(PROJECT, environment, against or "HEAD")


def _at(env: str, against: str | None, *, live: bool) -> str:
    """What takes the time: a synth half a minute, change sets minutes."""
    if live:
        return f"synthesizing {env}, and asking CloudFormation for a change set of each stack"
    return f"synthesizing {env} twice: {against or 'HEAD'}, and this work tree"
