"""What holds in every stack of every environment, whoever made it."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.file_systems_stack import has_file_systems
from pytest_cdk.stateful import STATEFUL_TYPES
from tests.stacks.conftest import StackArtifact
from tests.templates import Properties, Statement, TemplateJson, plain, statements, text, trust

# IAM's limits, in characters without white space: for all inline policies of a role together, for a managed policy,
# and for a trust policy unless the account's quota was raised.
INLINE_POLICIES = 10_240
MANAGED_POLICY = 6_144
TRUST_POLICY = 2_048

# What AWSLambdaVPCAccessExecutionRole gives to a Lambda in a VPC: its network interfaces have no name before.
_IN_A_VPC = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
}

# What may be done to every resource without a condition, by the resource that holds the policy, and why.
# Actions that only look (Describe, Get, List) need no place here.
ON_EVERYTHING: Mapping[str, tuple[set[str], str]] = {
    "ChainRole": (
        {
            "logs:CreateLogDelivery",
            "logs:DeleteLogDelivery",
            "logs:PutResourcePolicy",
            "logs:UpdateLogDelivery",
            "xray:PutTelemetryRecords",
            "xray:PutTraceSegments",
        },
        "what Step Functions asks for to log and to trace: none of it knows a resource",
    ),
    "CleanerRoleDefaultPolicy": (_IN_A_VPC, "the Lambda that cleans job definitions up is in the VPC"),
    "DirectoryTokenFunctionRoleDefaultPolicy": (_IN_A_VPC, "the Lambda that completes tokens is in the VPC"),
    "DatabasesRoleDefaultPolicy": (_IN_A_VPC, "the Lambda that makes the databases is in the VPC"),
    "EventsRoleDefaultPolicy": (_IN_A_VPC, "the Lambda that counts what happens to jobs is in the VPC"),
    "ManifestsRoleDefaultPolicy": (_IN_A_VPC, "the Lambda that cuts manifests is in the VPC"),
    "RotationRoleDefaultPolicy": (_IN_A_VPC, "the Lambda that changes passwords is in the VPC"),
    "WatchRoleDefaultPolicy": (_IN_A_VPC, "the Lambda that looks at job queues is in the VPC"),
    "LoadBalancerController": (
        {"elasticloadbalancing:SetWebAcl"},
        "as the controller's own policy has it: the action knows no resource",
    ),
}

# Resources of the CDK's own custom resource providers, which take neither tags nor a log group of ours.
CDK_PROVIDER = "CustomVpcRestrictDefaultSGCustomResourceProvider"

# Stateful resources that go with their stack, and why nothing is lost.
DISPENSABLE = {
    "ChangesQueue": "what AWS Batch says of Flyte's jobs, whose states the connector asks for as well",
    "ChangesUnread": "evidence of events that no connector dealt with, which goes after two weeks by itself",
    "DeadLetters": "what tells of objects that were not processed, which are in their bucket",
    "EmailsDeadLetters": "evidence of emails that were not sent, which goes after two weeks by itself",
    "EmailsQueue": "emails that Flyte is about to send",
    "EventsQueue": "what AWS Batch says of jobs that nobody counts any more",
    "EventsUncounted": "evidence of events that were not counted, which goes after two weeks by itself",
    "FormKey": "a key that MLflow signs nothing with",
    "GrafanaAdmin": "the password of Grafana's first user, which can be made anew: nothing is encrypted with it",
    "GrafanaSecretKey": "the key of what Grafana keeps, which goes with its pod",
    "Interruptions": "what EC2 says of instances, which is of no use after five minutes",
    "InterruptionsUnhandled": "evidence of interruptions that nobody handled, which goes after two weeks by itself",
    "SessionKey": "the key of people's sessions with MLflow: with another one they sign in again",
}


def every(stacks: Mapping[str, TemplateJson]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every resource of every stack, by stack and logical ID."""
    for stack, template in stacks.items():
        for key, resource in template["Resources"].items():
            yield f"{stack}/{key}", resource


def of_type(stacks: Mapping[str, TemplateJson], resource_type: str) -> dict[str, Properties]:
    found = {key: one["Properties"] for key, one in every(stacks) if one["Type"] == resource_type}
    assert found, f"there is no {resource_type}"
    return found


def allowed(stacks: Mapping[str, TemplateJson]) -> list[Statement]:
    """Everything that some policy allows."""
    found = [one for template in stacks.values() for one in statements(template) if one.allows]
    assert found
    return found


def name(key: str) -> str:
    """A logical ID without its stack and without the digits that the CDK adds."""
    return re.sub("[0-9A-F]{8}$", "", key.rpartition("/")[2])


class TestStacks:
    def test_names_carry_the_environment(
        self, artifacts: Mapping[str, StackArtifact], environment: Environment
    ) -> None:
        assert {stack: artifact.name for stack, artifact in artifacts.items()} == {
            stack: f"aerodrome-{environment.name}-{re.sub('(?<=[a-z])(?=[A-Z])', '-', stack).lower()}"
            for stack in artifacts
        }

    def test_all_go_to_the_environments_account_and_region(
        self, artifacts: Mapping[str, StackArtifact], environment: Environment
    ) -> None:
        regions = dict.fromkeys(artifacts, environment.region)
        if environment.backup.copy_region:
            regions["BackupCopy"] = environment.backup.copy_region
        assert {stack: artifact.place for stack, artifact in artifacts.items()} == {
            stack: f"aws://{environment.account}/{region}" for stack, region in regions.items()
        }

    def test_those_that_hold_data_are_protected_from_being_destroyed(
        self, artifacts: Mapping[str, StackArtifact], stacks: Mapping[str, TemplateJson], environment: Environment
    ) -> None:
        data = STATEFUL_TYPES - {"AWS::Logs::LogGroup"}
        holding = {
            key.partition("/")[0] for key, one in every(stacks) if one["Type"] in data and name(key) not in DISPENSABLE
        }
        copies = {"BackupCopy"} if environment.backup.copy_region else set()
        files = {"FileSystems"} if has_file_systems(environment) else set()
        people = set() if environment.access.oidc else {"SignOn"}
        assert holding == {"Backup", "Cluster", "Costs", "Database", "Keys", "Storage"} | copies | files | people
        assert {stack for stack, artifact in artifacts.items() if artifact.protected} == holding

    def test_each_says_what_it_makes(self, stacks: Mapping[str, TemplateJson]) -> None:
        assert all(template["Description"] for template in stacks.values())


class TestResources:
    def test_all_that_can_be_tagged_carry_the_environment_and_the_stack(
        self, stacks: Mapping[str, TemplateJson], environment: Environment
    ) -> None:
        tags = {key: _tags(one.get("Properties", {})) for key, one in every(stacks)}
        taggable = {one["Type"] for key, one in every(stacks) if tags[key]}
        assert len(taggable) > 20
        for key, one in every(stacks):
            if one["Type"] in taggable and CDK_PROVIDER not in key:
                assert tags[key].get("aerodrome:environment") == environment.name, key
                assert tags[key].get("aerodrome:stack") == key.partition("/")[0], key

    def test_what_cannot_be_made_again_is_kept(self, stacks: Mapping[str, TemplateJson]) -> None:
        stateful = {key: one for key, one in every(stacks) if one["Type"] in STATEFUL_TYPES}
        assert len(stateful) > 10
        lost = [
            key
            for key, one in stateful.items()
            # RetainExceptOnCreate: kept, unless the very deploy that makes it fails.
            if one.get("DeletionPolicy") not in {"Retain", "RetainExceptOnCreate"}
            or one.get("UpdateReplacePolicy") != "Retain"
        ]
        assert [key for key in lost if name(key) not in DISPENSABLE] == []
        assert sorted(name(key) for key in lost) == sorted(DISPENSABLE), "the list has grown old"

    def test_logs_are_encrypted_with_our_key(self, stacks: Mapping[str, TemplateJson]) -> None:
        groups = of_type(stacks, "AWS::Logs::LogGroup")
        assert [key for key, group in groups.items() if "KmsKeyId" not in group] == []

    def test_logs_end(self, stacks: Mapping[str, TemplateJson]) -> None:
        assert all(group["RetentionInDays"] > 0 for group in of_type(stacks, "AWS::Logs::LogGroup").values())

    def test_instances_keep_their_role_from_containers_and_their_disks_from_readers(
        self, stacks: Mapping[str, TemplateJson]
    ) -> None:
        for template in of_type(stacks, "AWS::EC2::LaunchTemplate").values():
            data = template["LaunchTemplateData"]
            assert data["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
            assert all(mapping["Ebs"]["Encrypted"] is True for mapping in data["BlockDeviceMappings"])

    def test_nothing_is_open_to_the_internet(self, stacks: Mapping[str, TemplateJson]) -> None:
        groups = of_type(stacks, "AWS::EC2::SecurityGroup").values()
        rules = [rule for group in groups for rule in group.get("SecurityGroupIngress", [])]
        rules += [one["Properties"] for _, one in every(stacks) if one["Type"] == "AWS::EC2::SecurityGroupIngress"]
        assert rules
        assert not [rule for rule in rules if text(rule.get("CidrIp", "")).endswith("/0") or "CidrIpv6" in rule]

    def test_no_lambda_is_left_with_an_old_runtime(self, stacks: Mapping[str, TemplateJson]) -> None:
        runtimes = {one["Runtime"] for one in of_type(stacks, "AWS::Lambda::Function").values()}
        assert {runtime.rstrip("0123456789.x") for runtime in runtimes} <= {"python", "nodejs"}
        assert all(_version(runtime) >= ((3, 11) if "python" in runtime else (22,)) for runtime in runtimes)


class TestPolicies:
    def test_nobody_is_allowed_everything(self, stacks: Mapping[str, TemplateJson]) -> None:
        # A key's own policy gives the account kms:*, which lets IAM decide.
        keys = {key.partition("/")[2] for key in of_type(stacks, "AWS::KMS::Key")}
        wide = {
            (one.owner, action)
            for one in allowed(stacks)
            for action in one.actions
            if action == "*" or action.endswith(":*")
        }
        assert wide == {(key, "kms:*") for key in keys}

    def test_what_is_allowed_on_everything_was_reviewed(
        self, stacks: Mapping[str, TemplateJson], environment: Environment
    ) -> None:
        keys = {key.partition("/")[2] for key in of_type(stacks, "AWS::KMS::Key")}
        found: dict[str, set[str]] = {}
        for one in allowed(stacks):
            if "*" in one.resources and not one.conditions and one.owner not in keys:
                changing = {action for action in one.actions if not _only_looks(action)}
                found.setdefault(name(one.owner), set()).update(changing)
        absent = set() if environment.database.password_rotation else {"RotationRoleDefaultPolicy"}
        absent |= {"DirectoryTokenFunctionRoleDefaultPolicy"} if environment.access.oidc else set()
        assert {owner: actions for owner, actions in found.items() if actions} == {
            owner: actions for owner, (actions, _) in ON_EVERYTHING.items() if owner not in absent
        }

    def test_nothing_is_allowed_to_everybody(self, stacks: Mapping[str, TemplateJson]) -> None:
        assert [one for one in allowed(stacks) if any("*" in principal for principal in one.principals)] == []

    def test_no_other_account_is_trusted(self, stacks: Mapping[str, TemplateJson], environment: Environment) -> None:
        principals = {who for one in allowed(stacks) for who in one.principals}
        arns = {who for who in principals if who.startswith("arn:")}
        services = {who for who in principals if who.endswith(".amazonaws.com")}
        assert principals == arns | services
        assert {arn.split(":")[4] for arn in arns} == {environment.account}

    def test_a_role_is_handed_on_only_by_name_and_to_one_service(
        self, stacks: Mapping[str, TemplateJson], environment: Environment
    ) -> None:
        passing = [one for one in allowed(stacks) if "iam:PassRole" in one.actions]
        domains = {domain for project in environment.projects for domain in project.domains}
        flyte = {f"{who}{domain.capitalize()}" for who in ("Flytepropeller", "BatchConnector") for domain in domains}
        assert {name(one.owner) for one in passing} == {"Karpenter"} | flyte
        for one in passing:
            assert not any("*" in resource for resource in one.resources)
            assert one.conditions["StringEquals"]["iam:PassedToService"] in {
                "ecs-tasks.amazonaws.com",
                "ec2.amazonaws.com",
            }

    def test_no_role_carries_a_policy_for_administrators(self, stacks: Mapping[str, TemplateJson]) -> None:
        policies = {
            text(arn).rpartition("/")[2]
            for role in of_type(stacks, "AWS::IAM::Role").values()
            for arn in role.get("ManagedPolicyArns", [])
        }
        assert policies
        assert not [policy for policy in policies if re.search("FullAccess|Administrator|PowerUser", policy)]

    def test_policies_fit_into_what_iam_takes(self, stacks: Mapping[str, TemplateJson]) -> None:
        for stack, template in stacks.items():
            for role, size in _inline_policies(template).items():
                assert size <= INLINE_POLICIES, f"{stack}/{role}"
            for key, one in template["Resources"].items():
                if one["Type"] == "AWS::IAM::ManagedPolicy":
                    assert _size(one["Properties"]["PolicyDocument"]) <= MANAGED_POLICY, f"{stack}/{key}"

    def test_trust_policies_fit_into_what_iam_takes(self, stacks: Mapping[str, TemplateJson]) -> None:
        for key, role in of_type(stacks, "AWS::IAM::Role").items():
            assert sum(_size(one.document) for one in trust(role)) <= TRUST_POLICY, key


def _tags(resource: Properties) -> dict[str, str]:
    # A list of pairs, a mapping, or, for what a launch template makes, a list of such lists.
    tags = resource.get("Tags") or [tag for one in resource.get("TagSpecifications", []) for tag in one.get("Tags", [])]
    return dict(tags) if isinstance(tags, Mapping) else {tag["Key"]: tag["Value"] for tag in tags}


def _only_looks(action: str) -> bool:
    return action.partition(":")[2].startswith(("Describe", "Get", "List"))


def _version(runtime: str) -> tuple[int, ...]:
    digits = runtime.removeprefix("python").removeprefix("nodejs").removesuffix(".x")
    return tuple(map(int, digits.split(".")))


def _inline_policies(template: TemplateJson) -> dict[str, int]:
    """The size of all inline policies of each role."""
    sizes: dict[str, int] = {}
    for key, one in template["Resources"].items():
        if one["Type"] == "AWS::IAM::Policy":
            for role in one["Properties"]["Roles"]:
                sizes[text(role)] = sizes.get(text(role), 0) + _size(one["Properties"]["PolicyDocument"])
        elif one["Type"] == "AWS::IAM::Role":
            own = sum(_size(policy["PolicyDocument"]) for policy in one["Properties"].get("Policies", []))
            sizes[f"${{{key}}}"] = sizes.get(f"${{{key}}}", 0) + own
    return sizes


def _size(document: Mapping[str, Any]) -> int:
    return len(json.dumps(plain(document), separators=(",", ":")))


def test_a_project_can_leave(stacks: Mapping[str, TemplateJson], environment: Environment) -> None:
    # CloudFormation keeps what another stack imports: a role that Jobs imported could not go before Jobs has changed,
    # and Identity, which makes it, is deployed first. Access points have no name that could be chosen.
    exported = {
        f"{stack}/{key}"
        for stack, template in stacks.items()
        for key, output in template.get("Outputs", {}).items()
        if "Export" in output and stack != "FileSystems"
    }
    assert exported
    projects = [project.name.replace("-", "") for project in environment.projects]
    assert [key for key in sorted(exported) if any(project in key.lower() for project in projects)] == []
