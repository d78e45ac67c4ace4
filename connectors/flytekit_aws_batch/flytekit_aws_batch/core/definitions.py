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

    def forget(self, name: str) -> None:
        """Look for a definition anew when it is next needed: Batch says that its revision is not active any more."""
        self._arns.pop(name, None)

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
                return str(answer["jobDefinitionArn"])
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
