"""What is deployed, and what CloudFormation says that an update would do: read over boto3, leaving nothing behind."""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError
from ruamel.yaml import YAML

from aerodrome.plan.model import PlanError
from aerodrome.plan.templates import Body, StackTemplate
from aerodrome_stacks.environment import Environment

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_cloudformation.type_defs import ResourceChangeTypeDef, StackTypeDef

# Characters that CloudFormation takes in a request; a longer template goes through S3.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
_LONGEST_BODY = 51_200
# Seconds between looks, and how many: CloudFormation takes a few seconds for a change set, minutes for a large stack.
_DELAY, _LOOKS = 2, 150
# A stack without resources: it waits for its first change set, or is what is left of one that was deleted.
_EMPTY = ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE")
_UNCHANGED = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSet:
    """What CloudFormation says that an update of a stack would do.

    Attributes:
        changes: By logical ID.
        refusal: Why CloudFormation could not say, in its words. Empty: it could.
    """

    changes: "Mapping[str, ResourceChangeTypeDef]"
    refusal: str = ""


class Deployed:
    """The stacks that an account has.

    Args:
        environment: Whose account.
        regions: The regions to look in.

    Raises:
        PlanError: AWS does not answer, or the credentials are those of another account.
    """

    def __init__(self, environment: Environment, regions: Iterable[str]) -> None:
        self._environment = environment
        self._stacks: dict[tuple[str, str], StackTypeDef] = {}
        with self._answers():
            self._session = boto3.session.Session(region_name=environment.region)
            account = self._session.client("sts").get_caller_identity()["Account"]
            if account != environment.account:
                raise PlanError(
                    f"--live: the credentials are those of account {account}, and {environment.name} is in "
                    f"{environment.account}; log in there, for example with AWS_PROFILE"
                )
            self._clients: Mapping[str, CloudFormationClient] = {
                region: self._session.client("cloudformation", region_name=region) for region in regions
            }
            for region, client in self._clients.items():
                for page in client.get_paginator("describe_stacks").paginate():
                    for stack in page["Stacks"]:
                        if stack["StackStatus"] not in _EMPTY:
                            self._stacks[region, stack["StackName"]] = stack

    def present(self) -> list[tuple[str, str]]:
        """The region and name of each stack, sorted."""
        return sorted(self._stacks)

    def template(self, key: tuple[str, str], stack: str = "") -> StackTemplate | None:
        """A stack as it is deployed, or None.

        Args:
            key: Its region and name.
            stack: Its construct path. Empty: what its template says.

        Raises:
            PlanError: AWS does not answer.
        """
        if key not in self._stacks:
            return None
        region, name = key
        with self._answers():
            answer = self._clients[region].get_template(StackName=name, TemplateStage="Original")
        body = _parsed(answer["TemplateBody"])
        return StackTemplate(
            stack=stack or _construct_path(body) or name,
            name=name,
            region=region,
            account=self._environment.account,
            body=body,
            protected=self._stacks[key].get("EnableTerminationProtection", False),
        )

    def change_set(self, after: StackTemplate) -> ChangeSet:
        """What an update to a template would do. The change set is deleted again, and never executed.

        Args:
            after: The stack as it is to be. It is deployed.

        Raises:
            PlanError: AWS does not answer.
        """
        name = f"aerodrome-plan-{uuid.uuid4().hex}"
        client = self._clients[after.region]
        with self._answers(), self._template_argument(after, name) as template:
            try:
                client.create_change_set(
                    StackName=after.name,
                    ChangeSetName=name,
                    ChangeSetType="UPDATE",
                    Description="made by `aerodrome plan`, which deletes it again",
                    Parameters=self._parameters(after),
                    Tags=[{"Key": key, "Value": value} for key, value in after.tags.items()],
                    Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
                    **template,
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "ValidationError":
                    raise
                return ChangeSet(changes={}, refusal=error.response["Error"]["Message"])
            try:
                return _described(client, after.name, name)
            finally:
                client.delete_change_set(StackName=after.name, ChangeSetName=name)

    def _parameters(self, after: StackTemplate) -> list[Any]:
        known = {parameter["ParameterKey"] for parameter in self._stacks[after.key].get("Parameters", [])}
        names: Sequence[str] = [name for name in after.body.get("Parameters", {}) if name in known]
        return [{"ParameterKey": name, "UsePreviousValue": True} for name in names]

    @contextmanager
    def _template_argument(self, after: StackTemplate, name: str) -> Iterator[dict[str, Any]]:
        """The template as CreateChangeSet takes it. A long one is in the CDK's bucket for the while."""
        body = json.dumps(after.body, separators=(",", ":"))
        if len(body) <= _LONGEST_BODY:
            yield {"TemplateBody": body}
            return
        if not after.bucket:
            raise PlanError(
                f"--live: the template of {after.name} has {len(body):,} characters, more than the {_LONGEST_BODY:,} "
                "that CloudFormation takes without S3, and the stack names no bucket of the CDK"
            )
        s3, key = self._session.client("s3", region_name=after.region), f"aerodrome-plan/{name}.json"
        s3.put_object(Bucket=after.bucket, Key=key, Body=body.encode())
        try:
            yield {"TemplateURL": f"https://s3.{after.region}.amazonaws.com/{after.bucket}/{key}"}
        finally:
            s3.delete_object(Bucket=after.bucket, Key=key)

    @contextmanager
    def _answers(self) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise PlanError(
                f"--live: AWS does not answer for account {self._environment.account} in {self._environment.region}: "
                f"{error}. It needs credentials of that account that may read stacks and make change sets, for example "
                "from `aws sso login`; or compare with a commit: --against"
            ) from error


def _described(client: "CloudFormationClient", stack_name: str, name: str) -> ChangeSet:
    waiter = client.get_waiter("change_set_create_complete")
    try:
        waiter.wait(StackName=stack_name, ChangeSetName=name, WaiterConfig={"Delay": _DELAY, "MaxAttempts": _LOOKS})
    except WaiterError as error:
        reason = str(error.last_response.get("StatusReason", error))
        return ChangeSet(changes={}, refusal="" if any(text in reason for text in _UNCHANGED) else reason)
    pages = client.get_paginator("describe_change_set").paginate(
        StackName=stack_name, ChangeSetName=name, IncludePropertyValues=True
    )
    found = [change["ResourceChange"] for page in pages for change in page["Changes"] if "ResourceChange" in change]
    return ChangeSet(changes={change["LogicalResourceId"]: change for change in found})


def _parsed(template: object) -> Body:
    # boto3 parses a template that is JSON; the CDK CLI writes some as YAML.
    body: Any = YAML(typ="safe").load(template) if isinstance(template, str) else template
    parsed: Body = body
    return parsed


def _construct_path(body: Body) -> str:
    paths = [resource.get("Metadata", {}).get("aws:cdk:path", "") for resource in body.get("Resources", {}).values()]
    return next((str(path).partition("/")[0] for path in paths if path), "")
