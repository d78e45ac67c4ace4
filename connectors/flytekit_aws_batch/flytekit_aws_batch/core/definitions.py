"""Job definitions: one revision for each distinct shape, ever."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from flytekit_aws_batch.core.aws import Aws, CallError
from flytekit_aws_batch.core.single_flight import SingleFlight

_LONGEST_NAME: Final = 128
_DIGITS: Final = 16
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 5.0

SEEN_EVERYWHERE_SECONDS: Final = 300.0
"""After which SubmitJob surely sees a definition: RegisterJobDefinition is eventually consistent, which mostly takes
moments, and was seen to take minutes (https://github.com/NatLabRockies/buildstockbatch/issues/506)."""
# "JobDefinition ARN not found.", "JobDefinition name NAME does not exist or is not in ACTIVE status", and the like.
_UNKNOWN: Final = re.compile(
    r"job ?definition.*(not found|not exist|not in active|inactive)", re.IGNORECASE | re.DOTALL
)


def definition_name(request: Mapping[str, Any]) -> str:
    """The name of a job definition, such as ``flyte-fraud-detection-development-1f0c5e8a3b7d2196``.

    Args:
        request: RegisterJobDefinition. Its ``jobDefinitionName`` is what the name begins with; the rest is the content,
            of which the name has 16 hexadecimal digits of the SHA-256.

    Returns:
        At most 128 letters, digits, hyphens and underscores, as Batch takes.
    """
    content = {member: value for member, value in request.items() if member != "jobDefinitionName"}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:_DIGITS]
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", str(request["jobDefinitionName"])).lstrip("-_") or "job"
    return f"{stem[: _LONGEST_NAME - _DIGITS - 1].rstrip('-')}-{digest}"


class Definitions:
    """The job definitions of an account, each registered when it is first needed.

    Args:
        aws: The way to AWS.
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._arns: dict[str, str] = {}
        self._registered_at: dict[str, float] = {}
        self._flights: SingleFlight[str] = SingleFlight()

    async def ensure(self, request: Mapping[str, Any]) -> str:
        """The ARN, with its revision, of the definition that a request describes.

        It is looked for in memory, then in Batch, and registered where neither has it.

        Args:
            request: RegisterJobDefinition, whose name says what it is (:func:`definition_name`).

        Raises:
            CallError: Batch refuses it, or could not be reached in time.
        """
        name = str(request["jobDefinitionName"])
        if name not in self._arns:
            self._arns[name] = await self._flights.do(name, lambda: self._find_or_register(request))
        return self._arns[name]

    async def renewed(self, request: Mapping[str, Any], arn: str) -> bool:
        """Whether a definition is another one by now than the one that SubmitJob did not take.

        It is looked for anew, and registered anew if somebody has deregistered it. One that was registered a moment ago
        may not be listed yet, and would be registered twice: it has to be listed as deregistered.

        Args:
            request: RegisterJobDefinition.
            arn: The definition that was not taken.

        Raises:
            CallError: Batch refuses it, or could not be reached in time.
        """
        name = str(request["jobDefinitionName"])
        if self._arns.get(name) == arn:
            age = self._aws.clock.now() - self._registered_at.get(arn, float("-inf"))
            if age < SEEN_EVERYWHERE_SECONDS and not await self._is_gone(arn):
                return False
            self._arns.pop(name, None)
        return await self.ensure(request) != arn

    async def _is_gone(self, arn: str) -> bool:
        answer = await self._aws.call("batch", "describe_job_definitions", jobDefinitions=[arn])
        return any(each.get("status") == "INACTIVE" for each in answer.get("jobDefinitions", []))

    async def _find_or_register(self, request: Mapping[str, Any]) -> str:
        aws, tries = self._aws, 0
        until = aws.clock.now() + aws.settings.patience_seconds
        while True:
            # Each time anew: a registration whose answer was lost may have been carried out.
            found = await self._find(str(request["jobDefinitionName"]))
            if found is not None:
                return found
            try:
                answer = await aws.call("batch", "register_job_definition", once=True, **request)
            except CallError as error:
                pause = aws.clock.chance() * min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**tries)
                if not error.passes or aws.clock.now() + pause > until:
                    raise
            else:
                arn = str(answer["jobDefinitionArn"])
                self._registered_at[arn] = aws.clock.now()
                return arn
            tries += 1
            await aws.clock.pause(pause)

    async def _find(self, name: str) -> str | None:
        """The first of its active revisions, so that all take the same where two registered it at the same moment."""
        revisions: list[dict[str, Any]] = []
        page: dict[str, Any] = {}
        while True:
            answer = await self._aws.call(
                "batch", "describe_job_definitions", jobDefinitionName=name, status="ACTIVE", **page
            )
            revisions += answer.get("jobDefinitions", [])
            if not answer.get("nextToken"):
                break
            page = {"nextToken": answer["nextToken"]}
        if not revisions:
            return None
        return str(min(revisions, key=lambda each: int(each["revision"]))["jobDefinitionArn"])


def is_unknown(error: CallError) -> bool:
    """Whether SubmitJob was refused as Batch does not know the definition. What else is not there is a queue."""
    return bool(_UNKNOWN.search(error.message)) or (error.kind == "not_found" and "queue" not in error.message.lower())
