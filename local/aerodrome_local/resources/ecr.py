"""Amazon ECR: rules of the pull-through cache as records. No image is ever brought."""

import time

from botocore.exceptions import ClientError

from aerodrome_local.json_service import Json, Records, ServiceError, serve_more
from aerodrome_local.resources.conversion import only_known, pick
from aerodrome_local.runtime import Created, Properties, Runtime, current_account, current_region

_UNKNOWN = "PullThroughCacheRuleNotFoundException"
# Those that want no password, by the host that images are asked for at
# (https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html).
_UPSTREAM = {"public.ecr.aws": "ecr-public", "quay.io": "quay", "registry.k8s.io": "k8s"}


def install(runtime: Runtime) -> None:
    """Answer the part of ECR's API that MiniStack lacks, and register the type that uses it."""
    rules = _Rules(runtime)
    serve_more(
        runtime,
        "ecr",
        {
            "CreatePullThroughCacheRule": rules.create,
            "DeletePullThroughCacheRule": rules.delete,
            "DescribePullThroughCacheRules": rules.describe,
        },
    )
    types = _Types(runtime)
    runtime.resource(
        "AWS::ECR::PullThroughCacheRule",
        create=types.create,
        update=None,
        delete=types.delete,
        replaces=("EcrRepositoryPrefix", "UpstreamRegistryUrl"),
    )


class _Rules:
    def __init__(self, runtime: Runtime) -> None:
        self._records = Records(runtime, "ecr-pull-through-cache-rules", unknown=_UNKNOWN)

    def create(self, request: Json) -> Json:
        prefix, url = request["ecrRepositoryPrefix"], request["upstreamRegistryUrl"]
        if url not in _UPSTREAM:
            raise ServiceError(
                "UnsupportedUpstreamRegistryException",
                f"the embedded AWS caches {', '.join(_UPSTREAM)}, not {url}",
            )
        if any(rule["ecrRepositoryPrefix"] == prefix for rule in self._own()):
            raise ServiceError("PullThroughCacheRuleAlreadyExistsException", f"there is a rule for {prefix}")
        record = {
            "ecrRepositoryPrefix": prefix,
            "upstreamRegistryUrl": url,
            "upstreamRegistry": _UPSTREAM[url],
            "createdAt": int(time.time()),
            "registryId": current_account(),
            "region": current_region(),
        }
        self._records.put(self._key(prefix), record)
        return _shown(record)

    def describe(self, request: Json) -> Json:
        prefixes = request.get("ecrRepositoryPrefixes")
        found = self._own() if prefixes is None else [self._records.find(self._key(prefix)) for prefix in prefixes]
        return {"pullThroughCacheRules": [_shown(rule) for rule in found]}

    def delete(self, request: Json) -> Json:
        key = self._key(request["ecrRepositoryPrefix"])
        record = self._records.find(key)
        self._records.delete(key)
        return _shown(record)

    def _own(self) -> list[Json]:
        return [rule for rule in self._records.some(None) if rule["region"] == current_region()]

    @staticmethod
    def _key(prefix: str) -> str:
        return f"{current_region()}/{prefix}"


class _Types:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def create(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        only_known("AWS::ECR::PullThroughCacheRule", properties, ("EcrRepositoryPrefix", "UpstreamRegistryUrl"))
        given = pick(properties, "EcrRepositoryPrefix", "UpstreamRegistryUrl")
        self._runtime.client("ecr").create_pull_through_cache_rule(
            ecrRepositoryPrefix=given["EcrRepositoryPrefix"], upstreamRegistryUrl=given["UpstreamRegistryUrl"]
        )
        return given["EcrRepositoryPrefix"], {}

    def delete(self, prefix: str, _properties: Properties) -> None:
        try:
            self._runtime.client("ecr").delete_pull_through_cache_rule(ecrRepositoryPrefix=prefix)
        except ClientError as error:
            if error.response["Error"]["Code"] != _UNKNOWN:
                raise


def _shown(record: Json) -> Json:
    return {name: value for name, value in record.items() if name != "region"}
