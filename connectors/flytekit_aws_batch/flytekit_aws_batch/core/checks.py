"""What can be looked up in the account before a job is submitted: what is wrong there is said before anything waits."""

import asyncio
import json
import re
import urllib.parse
from collections.abc import Coroutine, Iterator, Mapping
from functools import partial
from typing import Any, Final

from botocore.exceptions import ParamValidationError

from flytekit_aws_batch.core import containers
from flytekit_aws_batch.core.aws import Aws, CallError
from flytekit_aws_batch.core.plan import JobRequest, Plan
from flytekit_aws_batch.core.settings import Settings
from flytekit_aws_batch.core.single_flight import SingleFlight

Problems = tuple[str, ...]
Look = partial[Coroutine[Any, Any, Problems]]

_GOOD_FOR_SECONDS: Final = 300.0
# Somebody may be mending it, and try again.
_BAD_FOR_SECONDS: Final = 20.0
# What could not be looked up: not again with each of hundreds of tasks.
_UNKNOWN_FOR_SECONDS: Final = 60.0
_PATIENCE_SECONDS: Final = 5.0
_MOST_REMEMBERED: Final = 10_000

_TASKS: Final = "ecs-tasks.amazonaws.com"
_ROLE: Final = re.compile(r"arn:[a-z-]+:iam::(?P<account>\d{12}):role/(?:.*/)?(?P<name>[^/]+)")
_IMAGE: Final = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/"
    r"(?P<repository>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


class Checks:
    """Looks up what a plan needs, and remembers it for some minutes.

    What the connector may not look up, or cannot for the moment, is not checked: it is no reason to refuse anything.

    Args:
        aws: The way to AWS.
        settings: Whether images are looked for.
    """

    def __init__(self, aws: Aws, settings: Settings) -> None:
        self._aws, self._settings = aws, settings
        self._known: dict[str, tuple[float, Problems]] = {}
        self._flights: SingleFlight[Problems] = SingleFlight()

    async def problems(self, request: JobRequest, plan: Plan, definition: Mapping[str, Any]) -> list[str]:
        """What is wrong in the account with a plan.

        Args:
            request: What was asked for.
            plan: What came of it.
            definition: The request of RegisterJobDefinition.

        Returns:
            Each problem in words: the value, what is allowed, and how to mend it. Empty: none that is known.
        """
        looks = self._looks(request, plan, definition)
        found = await asyncio.gather(*(self._remembered(look) for look in looks))
        return list(dict.fromkeys(problem for problems in found for problem in problems))

    def _looks(self, request: JobRequest, plan: Plan, definition: Mapping[str, Any]) -> Iterator[Look]:
        fargate = "FARGATE" in definition["platformCapabilities"]
        yield partial(self._queue, plan.queue, plan.share, fargate)
        if plan.last_queue is not None:
            yield partial(self._queue, plan.last_queue, plan.last_share, fargate)
        container = _container(definition)
        place = containers.Place.of(plan.queue)
        for what, member in (("the job's role", "jobRoleArn"), ("execution_role", "executionRoleArn")):
            if member in container:
                yield partial(self._role, what, container[member], place.account if place else None)
        image = _IMAGE.fullmatch(request.image)
        if self._settings.check_images and image and (place is None or image["region"] == place.region):
            yield partial(self._image, request.image, image["account"], image["repository"], _identity(image))
        for secret in request.spec.secrets.values():
            yield partial(self._secret, containers.secret_id(secret, request, self._settings))

    async def _remembered(self, look: Look) -> Problems:
        key = repr((look.func.__name__, look.args))
        known = self._known.get(key)
        if known is not None and self._aws.clock.now() < known[0]:
            return known[1]
        return await self._flights.do(key, partial(self._looked_up, key, look))

    async def _looked_up(self, key: str, look: Look) -> Problems:
        problems: Problems = ()
        try:
            problems = await look()
            good_for = _BAD_FOR_SECONDS if problems else _GOOD_FOR_SECONDS
        except (CallError, ParamValidationError):
            # The latter for names shorter than botocore takes them to be, say.
            good_for = _UNKNOWN_FOR_SECONDS
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[key] = (self._aws.clock.now() + good_for, problems)
        return problems

    async def _ask(
        self,
        service: str,
        operation: str,
        **parameters: Any,  # noqa: ANN401 - botocore checks them against its model of the service
    ) -> dict[str, Any] | None:
        """An answer. None: what it is about is not there.

        Raises:
            CallError: Nobody knows.
        """
        try:
            return await self._aws.call(service, operation, patience_seconds=_PATIENCE_SECONDS, **parameters)
        except CallError as error:
            if error.kind == "not_found":
                return None
            raise

    async def _queue(self, queue: str, share: str | None, fargate: bool) -> Problems:  # noqa: FBT001 - partial's
        answer = await self._ask("batch", "describe_job_queues", jobQueues=[queue])
        found = (answer or {}).get("jobQueues", [])
        if not found:
            return (f"queue={queue!r}: there is no such job queue; give the name or ARN of one that there is",)
        return (*_queue_problems(found[0], share), *_kind_problems(found[0], fargate=fargate))

    async def _role(self, what: str, arn: str, account: str | None) -> Problems:
        role = _ROLE.fullmatch(arn)
        if role is None:
            return ()
        if account not in (None, role["account"]):
            return (f"{what}={arn!r}: the queue is in account {account}; give a role of that account",)
        answer = await self._ask("iam", "get_role", RoleName=role["name"])
        if answer is None:
            return (f"{what}={arn!r}: there is no such role; give the ARN of one that there is, or have it made",)
        if not _trusts_tasks(answer["Role"].get("AssumeRolePolicyDocument")):
            wanted = f"have sts:AssumeRole allowed to {_TASKS} in its trust policy"
            return (f"{what}={arn!r}: no container can have it, as it does not trust ECS's tasks; {wanted}",)
        return ()

    async def _image(self, image: str, account: str, repository: str, identity: Mapping[str, str]) -> Problems:
        answer = await self._ask(
            "ecr", "describe_images", registryId=account, repositoryName=repository, imageIds=[identity]
        )
        # ECR has an error for an image that it lacks; registries that speak its API may answer with no image instead.
        if (answer and answer.get("imageDetails")) or await self._is_cache(account, repository):
            return ()
        return (f"image={image!r}: ECR has no such image; push it, or give the tag or digest of one that there is",)

    async def _is_cache(self, account: str, repository: str) -> bool:
        """Whether a repository holds another registry's images, which ECR fetches when they are first pulled."""
        answer = await self._ask("ecr", "describe_pull_through_cache_rules", registryId=account)
        prefixes = [str(rule["ecrRepositoryPrefix"]) for rule in (answer or {}).get("pullThroughCacheRules", [])]
        return any(prefix == "ROOT" or repository.startswith(f"{prefix}/") for prefix in prefixes)

    async def _secret(self, secret: str) -> Problems:
        answer = await self._ask("secretsmanager", "describe_secret", SecretId=secret)
        if answer is None:
            return (
                f"secret {secret!r}: Secrets Manager has none; have it made, or give the name of one that there is",
            )
        if answer.get("DeletedDate"):
            return (f"secret {secret!r} is being deleted; have it restored, or give the name of another",)
        return ()


def _identity(image: re.Match[str]) -> dict[str, str]:
    return {"imageDigest": image["digest"]} if image["digest"] else {"imageTag": image["tag"] or "latest"}


def _container(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    if "nodeProperties" in definition:
        nodes: Mapping[str, Any] = definition["nodeProperties"]["nodeRangeProperties"][0]["container"]
        return nodes
    container: Mapping[str, Any] = definition["containerProperties"]
    return container


def _queue_problems(queue: Mapping[str, Any], share: str | None) -> Iterator[str]:
    name = queue["jobQueueName"]
    if queue.get("state") == "DISABLED":
        yield f"queue {name} is DISABLED and takes no jobs; have it enabled, or name another"
    if queue.get("status") == "INVALID":
        yield f"queue {name} is INVALID ({queue.get('statusReason')}); have it mended, or name another"
    fair = bool(queue.get("schedulingPolicyArn"))
    if fair and share is None:
        yield (
            f"share is missing: queue {name} has fair share; give share, or have the queue listed in the settings with "
            "fair_share: true"
        )
    if share is not None and not fair:
        yield f"share={share!r}: queue {name} has no fair share; leave it out, or have the settings say so"


def _kind_problems(queue: Mapping[str, Any], *, fargate: bool) -> Iterator[str]:
    """What is wrong with where a queue's jobs run: of a queue without settings, the task had to say it."""
    name, kind = queue["jobQueueName"], queue.get("jobQueueType")
    if kind == "ECS_FARGATE" and not fargate:
        yield (
            f"queue {name} is on Fargate, which nobody said; give platform_version='LATEST', or have the settings list "
            "the queue with kind: fargate"
        )
    if kind == "ECS" and fargate:
        yield (
            f"queue {name} has instances and no Fargate; leave out platform_version and ephemeral storage, name "
            "another queue, or have the settings list this one with another kind"
        )
    if kind in ("EKS", "SAGEMAKER_TRAINING"):
        yield f"queue {name} takes jobs for {kind} only, and the connector's run on ECS; name another"


def _trusts_tasks(document: object) -> bool:
    """Whether a trust policy lets ECS's tasks have the role. What cannot be read is taken to."""
    if isinstance(document, str):
        try:
            document = json.loads(urllib.parse.unquote(document))
        except ValueError:
            return True
    if not isinstance(document, Mapping):
        return True
    return any(
        statement.get("Effect") == "Allow"
        and _names_tasks(statement.get("Principal"))
        and any(action.lower() in ("sts:assumerole", "sts:*", "*") for action in _listed(statement.get("Action")))
        for statement in _listed(document.get("Statement"))
    )


def _names_tasks(principal: object) -> bool:
    if isinstance(principal, Mapping):
        return _TASKS in _listed(principal.get("Service"))
    return principal == "*"


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value] if value is not None else []
