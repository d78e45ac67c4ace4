"""An account as CloudFormation would make it of templates: every reference a concrete text, every role with its rights.

What a deploy would make up (a key's ID, an issuer's) is made up here, the same for the same resource.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.iam.evaluator import Document, Principal, Request, is_allowed
from tests.templates import TemplateJson

Json = Any

_REFERENCE = re.compile(r"\$\{([^}!]+)\}")
# Types whose ARN has neither account nor region, or another form than <service>:<region>:<account>:<type>/<name>.
_ARNS = {
    "AWS::Batch::JobQueue": "arn:aws:batch:{region}:{account}:job-queue/{name}",
    "AWS::EFS::AccessPoint": "arn:aws:elasticfilesystem:{region}:{account}:access-point/{name}",
    "AWS::EFS::FileSystem": "arn:aws:elasticfilesystem:{region}:{account}:file-system/{name}",
    "AWS::IAM::ManagedPolicy": "arn:aws:iam::{account}:policy/{name}",
    "AWS::IAM::Role": "arn:aws:iam::{account}:role/{name}",
    "AWS::KMS::Key": "arn:aws:kms:{region}:{account}:key/{name}",
    "AWS::Lambda::Function": "arn:aws:lambda:{region}:{account}:function:{name}",
    "AWS::Logs::LogGroup": "arn:aws:logs:{region}:{account}:log-group:{name}:*",
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
    "AWS::SecretsManager::Secret": "arn:aws:secretsmanager:{region}:{account}:secret:{name}-AbCdEf",
}
_NAMES = {
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::SecretsManager::Secret": "Name",
}
# Types of which Ref gives the ARN, not the name.
_REF_IS_ARN = {"AWS::IAM::ManagedPolicy", "AWS::SecretsManager::Secret", "AWS::SNS::Topic"}
# Where a resource keeps the policy that says who may use it.
RESOURCE_POLICIES = {"AWS::EFS::FileSystem": "FileSystemPolicy", "AWS::KMS::Key": "KeyPolicy"}


class UnknownIntrinsicError(ValueError):
    """A template has a function that nothing here resolves."""


@dataclass(frozen=True)
class Resource:
    """One resource of an account.

    Attributes:
        stack: The stack that it is in.
        logical_id: Its name in that stack's template.
        type: The CloudFormation type.
        properties: Its properties, of which every reference is resolved.
        arn: Its ARN, made up where a deploy would make it up.
    """

    stack: str
    logical_id: str
    type: str
    properties: Mapping[str, Json]
    arn: str


@dataclass(frozen=True)
class Account:
    """The resources of all stacks of an environment.

    Attributes:
        stacks: The templates by the stacks' names.
        number: The account's number.
        region: The region.
    """

    stacks: Mapping[str, TemplateJson]
    number: str
    region: str
    _exports: dict[str, tuple[str, Json]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for stack, template in self.stacks.items():
            for output in template.get("Outputs", {}).values():
                if "Export" in output:
                    self._exports[self.resolve(stack, output["Export"]["Name"])] = (stack, output["Value"])

    @cached_property
    def resources(self) -> Sequence[Resource]:
        """All of them."""
        return [
            Resource(
                stack,
                name,
                body["Type"],
                self.resolve(stack, body.get("Properties", {})),
                self._arn(stack, name),
            )
            for stack, template in self.stacks.items()
            for name, body in template["Resources"].items()
        ]

    def of_type(self, resource_type: str) -> list[Resource]:
        """The resources of a type. There is at least one: a test over none would assert nothing."""
        found = [resource for resource in self.resources if resource.type == resource_type]
        assert found, f"there is no {resource_type}"
        return found

    def one(self, stack: str, resource_type: str, part: str) -> Resource:
        """The one resource of a type in a stack whose logical ID contains a text."""
        found = [one for one in self.of_type(resource_type) if one.stack == stack and part in one.logical_id]
        assert len(found) == 1, f"{part} in {stack}: {[one.logical_id for one in found]}"
        return found[0]

    @cached_property
    def principals(self) -> Mapping[str, Principal]:
        """Every role by its ARN, with its policies, wherever they stand."""
        return {role.arn: self._principal(role) for role in self.of_type("AWS::IAM::Role")}

    def role(self, stack: str, part: str) -> Principal:
        """The one role of a stack whose logical ID contains a text."""
        return self.principals[self.one(stack, "AWS::IAM::Role", part).arn]

    def role_named(self, name: str) -> Principal:
        """The role of a name."""
        return self.principals[f"arn:aws:iam::{self.number}:role/{name}"]

    def bucket(self, name: str) -> str:
        """The ARN of a bucket of the Storage stack."""
        return self.one("Storage", "AWS::S3::Bucket", name).arn

    def can(self, role: Principal, action: str, arn: str, context: Mapping[str, str] | None = None) -> bool:
        """Whether a role may do something here and now.

        Args:
            role: The role.
            action: What it wants to do.
            arn: To what. Its own policy, or that of the bucket that an object is in, is asked, too.
            context: What the request says of itself besides the region, which is the account's.
        """
        owner = arn.partition("/")[0] if arn.startswith("arn:aws:s3:::") else arn
        request = Request(action=action, resource=arn, context={"aws:RequestedRegion": self.region, **(context or {})})
        return is_allowed(role, request, self.resource_policy(owner))

    def resource_policy(self, arn: str) -> list[Document]:
        """The statements of the policy of a bucket, key, secret or file system, by its ARN."""
        found: list[Document] = []
        for resource in self.resources:
            properties = resource.properties
            if resource.type in RESOURCE_POLICIES and resource.arn == arn:
                # A file system's policy names no resource: it speaks of the file system alone.
                policy = statements_of(properties.get(RESOURCE_POLICIES[resource.type], {}))
                found += [{"Resource": arn, **one} for one in policy]
            elif resource.type == "AWS::S3::BucketPolicy" and f"arn:aws:s3:::{properties['Bucket']}" == arn:
                found += statements_of(properties["PolicyDocument"])
            elif resource.type == "AWS::SecretsManager::ResourcePolicy" and properties["SecretId"] == arn:
                found += statements_of(properties["ResourcePolicy"])
        return found

    def resolve(self, stack: str, value: Json) -> Json:
        """A value of a stack's template with every reference as text.

        Raises:
            UnknownIntrinsicError: If there is a function in it that nothing here resolves.
        """
        if isinstance(value, list):
            resolved = [self.resolve(stack, one) for one in value]
            return [one for one in resolved if one is not None]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Fn::FindInMap":
                mapping, first, second = argument
                return self.stacks[stack]["Mappings"][mapping][first][second]
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(stack, name, argument)
        return {key: one for key, inner in value.items() if (one := self.resolve(stack, inner)) is not None}

    def _call(self, stack: str, name: str, argument: Json) -> Json:
        found: Json
        match name, argument:
            case "Ref", str(target):
                found = self._ref(stack, target)
            case "Fn::GetAtt", [str(target), str(attribute)]:
                found = self._attribute(stack, target, attribute)
            case "Fn::ImportValue", _:
                found = self.resolve(*self._exports[self.resolve(stack, argument)])
            case "Fn::Base64", _:
                found = self.resolve(stack, argument)  # as a reader would see it
            case "Fn::Join", [str(separator), parts]:
                found = separator.join(self.resolve(stack, parts))
            case "Fn::Sub", str(pattern):
                found = _REFERENCE.sub(lambda one: str(self._named(stack, one.group(1))), pattern)
            case "Fn::Select", [index, parts]:
                found = self.resolve(stack, parts)[int(index)]
            case "Fn::Split", [str(separator), whole]:
                found = self.resolve(stack, whole).split(separator)
            case "Fn::If", [_, yes, _]:
                found = self.resolve(stack, yes)
            case _:
                raise UnknownIntrinsicError(f"{name} in {stack}: {argument}")
        return found

    def _named(self, stack: str, reference: str) -> Json:
        target, _, attribute = reference.partition(".")
        return self._attribute(stack, target, attribute) if attribute else self._ref(stack, target)

    def _ref(self, stack: str, target: str) -> Json:
        pseudo = {
            "AWS::AccountId": self.number,
            "AWS::NoValue": None,
            "AWS::Partition": "aws",
            "AWS::Region": self.region,
            "AWS::StackId": f"arn:aws:cloudformation:{self.region}:{self.number}:stack/{stack}/made-up",
            "AWS::StackName": stack,
            "AWS::URLSuffix": "amazonaws.com",
        }
        if target in pseudo:
            return pseudo[target]
        if target in self.stacks[stack].get("Parameters", {}):
            return self.stacks[stack]["Parameters"][target].get("Default", f"{stack}-{target}")
        type_ = self.stacks[stack]["Resources"][target]["Type"]
        if type_ == "AWS::SecretsManager::SecretTargetAttachment":  # it is known by the secret's ARN
            return self.resolve(stack, self.stacks[stack]["Resources"][target]["Properties"]["SecretId"])
        return self._arn(stack, target) if type_ in _REF_IS_ARN else self._name(stack, target)

    def _attribute(self, stack: str, target: str, attribute: str) -> str:
        if attribute in {"Arn", "JobQueueArn", "TopicArn"}:
            return self._arn(stack, target)
        if attribute == "AccessPointId":
            return self._name(stack, target)
        if attribute == "OpenIdConnectIssuerUrl":
            return f"https://oidc.eks.{self.region}.amazonaws.com/id/0123456789ABCDEF"
        return f"{self._name(stack, target)}-{attribute}"

    def _arn(self, stack: str, target: str) -> str:
        type_ = self.stacks[stack]["Resources"][target]["Type"]
        _, service, kind = f"{type_}::".split("::")[:3]
        form = _ARNS.get(type_, f"arn:aws:{service.lower()}:{{region}}:{{account}}:{kind.lower()}/{{name}}")
        return form.format(region=self.region, account=self.number, name=self._name(stack, target))

    def _name(self, stack: str, target: str) -> str:
        body = self.stacks[stack]["Resources"][target]
        given = body.get("Properties", {}).get(_NAMES.get(body["Type"], ""))
        return self.resolve(stack, given) if given else f"{stack}-{target}".lower()

    def _principal(self, role: Resource) -> Principal:
        boundary = role.properties.get("PermissionsBoundary")
        return Principal(
            arn=role.arn,
            policies=[*self._own(role), *self._attached(role)],
            boundary=None if boundary is None else self._managed(boundary),
            tags={tag["Key"]: tag["Value"] for tag in role.properties.get("Tags", [])},
        )

    def _own(self, role: Resource) -> Iterator[Document]:
        for policy in role.properties.get("Policies", []):
            yield from statements_of(policy["PolicyDocument"])
        name = role.arn.rpartition("/")[2]
        for policy in self.resources:
            is_policy = policy.type in {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"}
            if is_policy and name in policy.properties.get("Roles", []):
                yield from statements_of(policy.properties["PolicyDocument"])

    def _attached(self, role: Resource) -> Iterator[Document]:
        for arn in role.properties.get("ManagedPolicyArns", []):
            if ":aws:policy/" not in arn:  # what AWS's own policies say is not in a template
                yield from self._managed(arn)

    def _managed(self, arn: str) -> list[Document]:
        (policy,) = [one for one in self.of_type("AWS::IAM::ManagedPolicy") if one.arn == arn]
        return statements_of(policy.properties["PolicyDocument"])


def statements_of(document: Json) -> list[Document]:
    """The statements of a policy document, which may stand as text."""
    parsed = json.loads(document) if isinstance(document, str) else document
    found = parsed.get("Statement", [])
    return [found] if isinstance(found, Mapping) else list(found)
