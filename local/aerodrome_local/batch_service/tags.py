"""Tags: the three tag operations, and the checks that all operations with tags share."""

from collections.abc import Mapping

from aerodrome_local.batch_service.core import Core, Operation
from aerodrome_local.batch_service.errors import ClientException
from aerodrome_local.batch_service.model import Job, Json, Scope

_MOST_TAGS = 50
_LONGEST_KEY = 128
_LONGEST_VALUE = 256


def checked(tags: Mapping[str, str] | None) -> dict[str, str]:
    """Tags as they are stored.

    Raises:
        ClientException: Too many, too long, or with a reserved key.
    """
    tags = dict(tags or {})
    if len(tags) > _MOST_TAGS:
        raise ClientException(f"{len(tags)} tags given; a resource has at most {_MOST_TAGS}")
    for key, value in tags.items():
        if not 1 <= len(key) <= _LONGEST_KEY or len(value) > _LONGEST_VALUE:
            raise ClientException(
                f"tag {key!r}: a key has 1 to {_LONGEST_KEY} characters and a value at most {_LONGEST_VALUE}"
            )
        if key.lower().startswith("aws:") and not key.startswith("aws:cloudformation:"):
            raise ClientException(f"tag {key!r}: keys that start with aws: are reserved")
    return tags


def list_tags_for_resource(core: Core, scope: Scope, request: Json) -> Json:
    """ListTagsForResource."""
    found = _taggable(core, scope, request["resourceArn"])
    return {"tags": found.tags if isinstance(found, Job) else found.get("tags", {})}


def tag_resource(core: Core, scope: Scope, request: Json) -> Json:
    """TagResource."""
    _change(core, scope, request["resourceArn"], added=checked(request["tags"]), removed=())
    return {}


def untag_resource(core: Core, scope: Scope, request: Json) -> Json:
    """UntagResource."""
    _change(core, scope, request["resourceArn"], added={}, removed=tuple(request["tagKeys"]))
    return {}


def _change(core: Core, scope: Scope, arn: str, added: Mapping[str, str], removed: tuple[str, ...]) -> None:
    found = _taggable(core, scope, arn)
    old = found.tags if isinstance(found, Job) else found.get("tags", {})
    tags = checked({key: value for key, value in {**old, **added}.items() if key not in removed})
    if isinstance(found, Job):
        found.tags = tags
        core.state.save(found)
    else:
        found["tags"] = tags
        core.resources(arn).put(arn, found)


def _taggable(core: Core, scope: Scope, arn: str) -> Job | Json:
    if arn.startswith(scope.arn("job/")):
        job = core.state.jobs.get(arn.removeprefix(scope.arn("job/")))
        if job is not None and job.parent_id is None:
            return job
    elif arn.startswith(scope.arn("")):
        return core.resources(arn).get(scope, arn)
    raise ClientException(f"{arn} does not exist")


OPERATIONS: dict[str, Operation] = {
    "ListTagsForResource": list_tags_for_resource,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
}
