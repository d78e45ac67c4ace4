"""``aerodrome mirror``: the verb, its output and its exit status."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any
from urllib.parse import urlsplit

import boto3
import typer
from botocore.exceptions import BotoCoreError, ClientError

from aerodrome.mirror.download import LOOPBACK
from aerodrome.mirror.items import Item, items, target_registry
from aerodrome.mirror.lock import Lock
from aerodrome.mirror.manifests import MirrorError
from aerodrome.mirror.push import Outcome, push
from aerodrome.mirror.registry import Registry
from aerodrome.project import PROJECT
from aerodrome_stacks.environment import Environment, InvalidEnvironmentError, environment_file, load_environment

_FAILED = 1
_INVALID = 2
_MEGABYTE = 1_000_000


def mirror(
    env: Annotated[str, typer.Option("--env", "-e", help="The environment.")],
    *,
    push_them: Annotated[
        bool, typer.Option("--push/--dry-run", help="Copy what is not there yet, or say what would be copied.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every image and chart of the platform, or copy them to the account's registry, by digest, for all platforms.

    Ends with status 1 if something could not be copied. What was copied is not copied again.
    """
    try:
        environment = load_environment(env, PROJECT.environments)
        lock = Lock(PROJECT.root / "charts" / "images.lock.yaml")
        listed = items(environment)
        if not push_them:
            _show_list(environment, listed, {item.name: lock.digest_of(item) for item in listed}, as_json=as_json)
            return
        _refuse_others(environment)
        lock.keep_only(listed)
        outcomes = push(listed, _own_registry(environment), lock, cache(Registry))
        failed = _show_outcomes(environment, outcomes, as_json=as_json)
    except InvalidEnvironmentError as error:
        typer.echo("\n".join(error.problems), err=True)
        raise typer.Exit(_INVALID) from None
    except MirrorError as error:
        typer.echo(f"aerodrome mirror: {error}", err=True)
        raise typer.Exit(_INVALID) from None
    if failed:
        raise typer.Exit(_FAILED)


def _refuse_others(environment: Environment) -> None:
    if environment.images != "mirror":
        file = environment_file(environment.name, PROJECT.environments)
        raise MirrorError(
            f"{file} says images: {environment.images}, so nothing would be taken from a mirror, and there are no "
            "repositories for one; write images: mirror, and deploy the stack Images"
        )


def _own_registry(environment: Environment) -> Registry:
    """The account's registry, with what AWS gives for a password.

    Raises:
        MirrorError: AWS gives none, or the credentials are of another account.
    """
    try:
        session = boto3.session.Session(region_name=environment.region)
        account = session.client("sts").get_caller_identity()["Account"]
        if account != environment.account:
            raise MirrorError(
                f"the AWS credentials are of the account {account}, and {environment.name} is in "
                f"{environment.account}; choose others, such as with AWS_PROFILE"
            )
        ecr = session.client("ecr")
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    except (BotoCoreError, ClientError) as error:
        raise MirrorError(
            f"AWS gives no password for the registry of {environment.account}: {error}; see that AWS credentials are "
            "set and may ecr:GetAuthorizationToken"
        ) from None
    name, _, password = base64.b64decode(token).decode().partition(":")
    # The embedded AWS answers for the registry as for every service.
    endpoint = ecr.meta.endpoint_url
    embedded = urlsplit(endpoint).hostname in LOOPBACK
    return Registry(target_registry(environment), url=endpoint if embedded else None, credentials=(name, password))


def _show_list(
    environment: Environment, listed: Sequence[Item], digests: Mapping[str, str | None], *, as_json: bool
) -> None:
    host = target_registry(environment)
    if as_json:
        _print_json(environment, [_document(item, host) | {"digest": digests[item.name]} for item in listed])
        return
    for item in listed:
        typer.echo(f"{item.kind} {item.published_at}")
        typer.echo(f"  to {item.copied_to(host)}")
        typer.echo(f"  {digests[item.name] or 'no digest yet: the first push locks it'}")
    unlocked = sum(digest is None for digest in digests.values())
    typer.echo(f"{_counted(listed)}; {unlocked} without a digest. Nothing was copied: --push does.")


def _show_outcomes(environment: Environment, outcomes: Iterable[Outcome], *, as_json: bool) -> int:
    """Show what became of each, and return how many failed."""
    host = target_registry(environment)
    seen: list[Outcome] = []
    for outcome in outcomes:
        seen.append(outcome)
        if not as_json:
            _show_outcome(outcome)
    failed = sum(outcome.copied is None for outcome in seen)
    if as_json:
        _print_json(environment, [_document(outcome.item, host) | _result(outcome) for outcome in seen])
        return failed
    new = [outcome.copied for outcome in seen if outcome.copied and not outcome.copied.present]
    megabytes = sum(copied.uploaded for copied in new) / _MEGABYTE
    there = len(seen) - len(new) - failed
    typer.echo(f"{len(new)} copied ({megabytes:,.1f} MB), {there} there already, {failed} failed")
    return failed


def _show_outcome(outcome: Outcome) -> None:
    copied = outcome.copied
    if copied is None:
        typer.echo(f"failed   {outcome.problem}", err=True)
    elif copied.present:
        typer.echo(f"present  {outcome.item.name}  {copied.digest}")
    else:
        typer.echo(f"copied   {outcome.item.name}  {copied.digest}  {copied.uploaded / _MEGABYTE:,.1f} MB")


def _document(item: Item, host: str) -> dict[str, Any]:
    return {"kind": item.kind, "name": item.name, "source": item.published_at, "target": item.copied_to(host)}


def _result(outcome: Outcome) -> dict[str, Any]:
    copied = outcome.copied
    if copied is None:
        return {"digest": None, "state": "failed", "problem": outcome.problem}
    state = "present" if copied.present else "copied"
    return {"digest": copied.digest, "state": state, "uploaded_bytes": copied.uploaded}


def _print_json(environment: Environment, found: Sequence[Mapping[str, Any]]) -> None:
    document = {"environment": environment.name, "images": environment.images, "items": found}
    typer.echo(json.dumps(document, indent=2))


def _counted(listed: Sequence[Item]) -> str:
    images = sum(item.kind == "image" for item in listed)
    return f"{images} images and {len(listed) - images} charts"
