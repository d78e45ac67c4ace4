"""The tags of jobs: whose they are, what the account wants of every job, and what the author adds."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from flytekit_aws_batch.core.plan import JobRequest
from flytekit_aws_batch.core.settings import Settings

MOST_TAGS: Final = 50
"""Of a resource (https://docs.aws.amazon.com/batch/latest/userguide/using-tags.html, as all that follows)."""

_LONGEST_KEY: Final = 128
_LONGEST_VALUE: Final = 256
_ALLOWED: Final = r"[\w +\-=.:/@]"
_OURS: Final = "flyte:"
_OF_THIS_JOB: Final = ("project", "domain", "execution", "node", "task")


def filled(text: str, project: str, domain: str) -> str:
    """A text of the settings with ``{project}`` and ``{domain}`` filled in."""
    return text.replace("{project}", project).replace("{domain}", domain)


def author_problems(tags: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the tags of an author."""
    most = MOST_TAGS - len(_OF_THIS_JOB)
    if len(tags) > most:
        yield (
            f"{len(tags)} tags: a job has {MOST_TAGS} at most, of which {len(_OF_THIS_JOB)} say whose it is; give "
            f"{most} at most"
        )
    for key, value in sorted(tags.items()):
        if key.lower().startswith(("aws:", _OURS)):
            yield f"tags: {key!r}: keys that begin with aws: or {_OURS} are taken; give it another key"
        elif not re.fullmatch(_ALLOWED + f"{{1,{_LONGEST_KEY}}}", key):
            yield f"tags: {key!r}: a key has 1 to {_LONGEST_KEY} letters, digits, spaces and +-=._:/@"
        if not re.fullmatch(_ALLOWED + f"{{0,{_LONGEST_VALUE}}}", value):
            yield f"tags: {key}={value!r}: a value has up to {_LONGEST_VALUE} letters, digits, spaces and +-=._:/@"


def of_job(request: JobRequest, settings: Settings) -> dict[str, str]:
    """The tags of a job. Whose it is, and what the settings say, is stronger than what the author says."""
    values = (request.project, request.domain, request.execution, request.node, request.task)
    own = {f"{_OURS}{key}": _fitting(value) for key, value in zip(_OF_THIS_JOB, values, strict=True)}
    return {**request.spec.tags, **_of_settings(request, settings), **own}


def of_definition(request: JobRequest, settings: Settings) -> dict[str, str]:
    """The tags of a job definition, which jobs of all executions share."""
    own = {f"{_OURS}project": _fitting(request.project), f"{_OURS}domain": _fitting(request.domain)}
    return {**_of_settings(request, settings), **own}


def clashes(request: JobRequest, settings: Settings) -> Iterator[str]:
    """What is wrong with the author's tags beside those of the settings."""
    for key in sorted(request.spec.tags.keys() & settings.tags.keys()):
        yield f"tags: {key!r}: every job here has a value of its own for it; leave it out"
    number = len(of_job(request, settings))
    # More than the author's limit is a problem already without those of the settings.
    if number > MOST_TAGS >= len(request.spec.tags) + len(_OF_THIS_JOB):
        spare = MOST_TAGS - number + len(request.spec.tags)
        yield (
            f"{len(request.spec.tags)} tags: beside those that every job here has, there is room for {spare}; leave "
            "some out"
        )


def _of_settings(request: JobRequest, settings: Settings) -> dict[str, str]:
    return {key: _fitting(filled(value, request.project, request.domain)) for key, value in settings.tags.items()}


def _fitting(value: str) -> str:
    return re.sub(f"(?!{_ALLOWED}).", "_", value, flags=re.DOTALL)[:_LONGEST_VALUE]
