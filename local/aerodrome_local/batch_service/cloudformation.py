"""The CloudFormation types of AWS Batch, carried out through the Batch API.

Which properties replace a resource follows the types' published schemas (``createOnlyProperties`` and
``conditionalCreateOnlyProperties``). What a property may hold is left to the API, which checks it.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from aerodrome_local.batch_service.model import Json
from aerodrome_local.batch_service.shapes import from_cloudformation

Client = Callable[[], Any]
Name = Callable[[str, str], str]
"""``(stack name, logical ID) -> name``: the name that a resource without one gets, the same each time it is asked."""
Created = tuple[str, dict[str, Any]]

_STABLE_SECONDS = 30.0
_POLL_SECONDS = 0.02

# Replaced only while ReplaceComputeEnvironment is not false; otherwise changed in place by an infrastructure update.
_REPLACING_RESOURCES = frozenset(
    {
        "allocationStrategy",
        "bidPercentage",
        "ec2Configuration",
        "ec2KeyPair",
        "imageId",
        "instanceRole",
        "instanceTypes",
        "launchTemplate",
        "placementGroup",
        "scalingPolicy",
        "securityGroupIds",
        "subnets",
        "tags",
        "type",
    }
)
_FARGATE_IN_PLACE = frozenset({"securityGroupIds", "subnets"})


def _changed(old: Json, new: Json) -> Json:
    """The members of the new request that are not as they were; a removed one is None."""
    return {name: new.get(name) for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


def _without_removals(changes: Json, what: str, defaults: Mapping[str, Any]) -> Json:
    """Changes with a default in place of each member that was removed.

    Raises:
        ValueError: A member has no default to go back to.
    """
    for name in [name for name, value in changes.items() if value is None]:
        if name not in defaults:
            raise ValueError(f"{what}: {name} cannot be removed from what exists; give it a value")
        changes[name] = defaults[name]
    return changes


class ComputeEnvironmentType:
    """``AWS::Batch::ComputeEnvironment``."""

    type_name = "AWS::Batch::ComputeEnvironment"
    replaces = ("ComputeEnvironmentName", "Tags", "Type", "EksConfiguration")
    _cloudformation_only = ("ReplaceComputeEnvironment", "UpdatePolicy")

    def __init__(self, client: Client, name: Name) -> None:
        self._client = client
        self._name = name

    def create(self, logical_id: str, properties: Json, stack_name: str) -> Created:
        """Create one and wait until it is VALID."""
        return self._create(properties, self._name(stack_name, logical_id))

    def _create(self, properties: Json, name: str) -> Created:
        request = {"computeEnvironmentName": name, **self._request(properties)}
        arn: str = self._client().create_compute_environment(**request)["computeEnvironmentArn"]
        self._wait(arn, delete=True)
        self._set_update_policy(arn, properties)
        return arn, {"ComputeEnvironmentArn": arn}

    def _request(self, properties: Json) -> Json:
        plain = {name: value for name, value in properties.items() if name not in self._cloudformation_only}
        if "ComputeResources" in plain:
            # An instruction to the update, which nothing is to be told of: there are no images here.
            resources = {k: v for k, v in plain["ComputeResources"].items() if k != "UpdateToLatestImageVersion"}
            plain["ComputeResources"] = resources
        return from_cloudformation(self.type_name, "CreateComputeEnvironment", plain)

    def _set_update_policy(self, arn: str, properties: Json) -> None:
        policy = properties.get("UpdatePolicy")
        if policy:
            given = {"UpdatePolicy": policy}
            request = from_cloudformation(self.type_name, "UpdateComputeEnvironment", given)
            self._client().update_compute_environment(computeEnvironment=arn, **request)
            self._wait(arn)

    def update(self, arn: str, old: Json, new: Json, _stack_name: str) -> Created:
        """Change one in place, or make another when a change of its instances asks for that."""
        changes = _changed(self._request(old), self._request(new))
        resources = _changed(
            self._request(old).get("computeResources", {}), self._request(new).get("computeResources", {})
        )
        changes.pop("computeResources", None)
        if "spotIamFleetRole" in resources or (self._replaces(new) and self._replacing(new) & resources.keys()):
            return self._replace(arn, new)
        request = _without_removals(changes, self.type_name, {"state": "ENABLED", "ecsSettings": {}})
        if resources:
            defaults = {"minvCpus": 0, "desiredvCpus": 0}
            request["computeResources"] = _without_removals(resources, f"{self.type_name}.ComputeResources", defaults)
        if request:
            self._client().update_compute_environment(computeEnvironment=arn, **request)
            self._wait(arn)
        self._set_update_policy(arn, new)
        return arn, {"ComputeEnvironmentArn": arn}

    def _replaces(self, properties: Json) -> bool:
        return str(properties.get("ReplaceComputeEnvironment", True)).lower() != "false"

    def _replacing(self, properties: Json) -> frozenset[str]:
        kind = properties.get("ComputeResources", {}).get("Type", "")
        return _REPLACING_RESOURCES - (_FARGATE_IN_PLACE if kind.startswith("FARGATE") else frozenset())

    def _replace(self, arn: str, properties: Json) -> Created:
        """Create the successor. The engine deletes the predecessor once the whole update has succeeded."""
        if properties.get("ComputeEnvironmentName"):
            raise ValueError(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename "
                f"{properties['ComputeEnvironmentName']} and update the stack again."
            )
        # The old name is taken until then.
        old_name = arn.rpartition("/")[2]
        return self._create(properties, f"{old_name[:110]}-{secrets.token_hex(4)}")

    def _wait(self, arn: str, *, delete: bool = False) -> None:
        deadline = time.monotonic() + _STABLE_SECONDS
        while True:
            answer = self._client().describe_compute_environments(computeEnvironments=[arn])
            environment = answer["computeEnvironments"][0]
            if environment["status"] == "VALID":
                return
            if environment["status"] == "INVALID" or time.monotonic() > deadline:
                break
            time.sleep(_POLL_SECONDS)
        if delete:
            self.delete(arn, {})
        raise ValueError(
            f"Resource did not stabilize: {arn} went {environment['status']} with error: "
            f"{environment.get('statusReason')}"
        )

    def delete(self, arn: str, _properties: Json) -> None:
        """Disable and delete one."""
        if self._client().describe_compute_environments(computeEnvironments=[arn])["computeEnvironments"]:
            self._client().update_compute_environment(computeEnvironment=arn, state="DISABLED")
        self._client().delete_compute_environment(computeEnvironment=arn)
        for left in self._client().describe_compute_environments(computeEnvironments=[arn])["computeEnvironments"]:
            raise ValueError(f"Resource did not stabilize: {arn} went {left['status']}: {left.get('statusReason')}")


class JobQueueType:
    """``AWS::Batch::JobQueue``."""

    type_name = "AWS::Batch::JobQueue"
    replaces = ("JobQueueName", "JobQueueType")

    def __init__(self, client: Client, name: Name) -> None:
        self._client = client
        self._name = name

    def create(self, logical_id: str, properties: Json, stack_name: str) -> Created:
        """Create one."""
        request = from_cloudformation(self.type_name, "CreateJobQueue", properties)
        request = {"jobQueueName": self._name(stack_name, logical_id), **request}
        arn: str = self._client().create_job_queue(**request)["jobQueueArn"]
        return arn, {"JobQueueArn": arn}

    def update(self, arn: str, old: Json, new: Json, _stack_name: str) -> Created:
        """Change one in place."""
        before = from_cloudformation(self.type_name, "CreateJobQueue", old)
        after = from_cloudformation(self.type_name, "CreateJobQueue", new)
        changes = _changed(before, after)
        changes.pop("tags", None)
        defaults: Json = {"state": "ENABLED", "jobStateTimeLimitActions": []}
        request = _without_removals(changes, self.type_name, defaults)
        if request:
            self._client().update_job_queue(jobQueue=arn, **request)
        change_tags(self._client(), arn, old, new)
        return arn, {"JobQueueArn": arn}

    def delete(self, arn: str, _properties: Json) -> None:
        """Disable and delete one."""
        if self._client().describe_job_queues(jobQueues=[arn])["jobQueues"]:
            self._client().update_job_queue(jobQueue=arn, state="DISABLED")
        self._client().delete_job_queue(jobQueue=arn)


class SchedulingPolicyType:
    """``AWS::Batch::SchedulingPolicy``."""

    type_name = "AWS::Batch::SchedulingPolicy"
    replaces = ("Name",)

    def __init__(self, client: Client, name: Name) -> None:
        self._client = client
        self._name = name

    def create(self, logical_id: str, properties: Json, stack_name: str) -> Created:
        """Create one."""
        request = from_cloudformation(self.type_name, "CreateSchedulingPolicy", properties)
        request = {"name": self._name(stack_name, logical_id), **request}
        arn: str = self._client().create_scheduling_policy(**request)["arn"]
        return arn, {"Arn": arn}

    def update(self, arn: str, old: Json, new: Json, _stack_name: str) -> Created:
        """Change one in place."""
        request = from_cloudformation(self.type_name, "CreateSchedulingPolicy", new)
        policy = {name: request.get(name) for name in ("fairsharePolicy", "quotaSharePolicy") if request.get(name)}
        self._client().update_scheduling_policy(arn=arn, **(policy or {"fairsharePolicy": {}}))
        change_tags(self._client(), arn, old, new)
        return arn, {"Arn": arn}

    def delete(self, arn: str, _properties: Json) -> None:
        """Delete one."""
        self._client().delete_scheduling_policy(arn=arn)


class JobDefinitionType:
    """``AWS::Batch::JobDefinition``: a change registers a new revision and deregisters the old one."""

    type_name = "AWS::Batch::JobDefinition"
    replaces = ("JobDefinitionName",)

    def __init__(self, client: Client, name: Name) -> None:
        self._client = client
        self._name = name
        self._retained: set[str] = set()

    def create(self, logical_id: str, properties: Json, stack_name: str) -> Created:
        """Register the first revision."""
        return self._register(properties, self._name(stack_name, logical_id))

    def _register(self, properties: Json, name: str) -> Created:
        plain = {key: value for key, value in properties.items() if key != "ResourceRetentionPolicy"}
        request = from_cloudformation(self.type_name, "RegisterJobDefinition", plain)
        answer = self._client().register_job_definition(**{"jobDefinitionName": name, **request})
        arn: str = answer["jobDefinitionArn"]
        return arn, {"JobDefinitionArn": arn}

    def update(self, arn: str, old: Json, new: Json, _stack_name: str) -> Created:
        """Register the next revision; tags alone are changed on the revision that is there."""
        if _changed(old, new).keys() <= {"Tags", "ResourceRetentionPolicy"}:
            change_tags(self._client(), arn, old, new)
            return arn, {"JobDefinitionArn": arn}
        created = self._register(new, arn.rpartition("/")[2].partition(":")[0])
        retention = new.get("ResourceRetentionPolicy") or {}
        if str(retention.get("SkipDeregisterOnUpdate", False)).lower() == "true":
            # The engine deletes the old physical resource, which is the old revision, at the end of the update.
            self._retained.add(arn)
        return created

    def delete(self, arn: str, _properties: Json) -> None:
        """Deregister a revision."""
        if arn in self._retained:
            self._retained.discard(arn)
            return
        if self._client().describe_job_definitions(jobDefinitions=[arn])["jobDefinitions"]:
            self._client().deregister_job_definition(jobDefinition=arn)


def change_tags(client: Any, arn: str, old: Json, new: Json) -> None:  # noqa: ANN401 - a boto3 client
    """Bring a resource's tags from what a template said to what it says now."""
    before, after = old.get("Tags") or {}, new.get("Tags") or {}
    added = {key: value for key, value in after.items() if before.get(key) != value}
    removed = sorted(before.keys() - after.keys())
    if added:
        client.tag_resource(resourceArn=arn, tags=added)
    if removed:
        client.untag_resource(resourceArn=arn, tagKeys=removed)
