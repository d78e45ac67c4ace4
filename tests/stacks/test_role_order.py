"""What is handed a role has the role's rights from its first moment on."""

from collections.abc import Iterator, Mapping

from aerodrome_constructs.policy.template import as_list
from tests.templates import TemplateJson

POLICIES = {"AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::IAM::RolePolicy"}
# What names a role and does nothing with it while it is made.
LATER = {
    "AWS::Backup::BackupSelection": "AWS Backup takes the role at the plan's hour",
    "AWS::Batch::JobDefinition": "a job takes the role, and nobody submits one in the middle of a deploy",
    "AWS::EKS::AccessEntry": "it says what the role is to the cluster, and does not take it",
    "AWS::Events::Rule": "it is told of the role, and does not take it",
}


def named(value: object) -> Iterator[str]:
    """The logical IDs that a value refers to."""
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [str(name), *_]}:
            yield name
        case dict():
            for inner in value.values():
                yield from named(inner)
        case list():
            for inner in value:
                yield from named(inner)


def early(template: TemplateJson) -> Iterator[tuple[str, str, list[str]]]:
    """Type and name of each resource that is handed a role with policies, and those policies that it is not behind."""
    resources = template["Resources"]
    policies: dict[str, list[str]] = {}
    for name, resource in resources.items():
        if resource["Type"] in POLICIES:
            for role in named(resource["Properties"].get("Roles", [])):
                policies.setdefault(role, []).append(name)
    for name, resource in resources.items():
        if resource["Type"] in POLICIES | LATER.keys():
            continue
        waits = as_list(resource.get("DependsOn", []))
        for role in policies.keys() & set(named(resource.get("Properties", {}))):
            yield resource["Type"], name, [policy for policy in policies[role] if policy not in waits]


def test_nothing_is_made_with_a_role_whose_policies_are_made_beside_it(stacks: Mapping[str, TemplateJson]) -> None:
    found = [(stack, *one) for stack, template in stacks.items() for one in early(template)]
    assert {kind for _, kind, _, _ in found} >= {"AWS::EC2::FlowLog", "AWS::Lambda::Function"}, "the listing is broken"
    assert [(stack, name, missing) for stack, _, name, missing in found if missing] == []


def test_the_monitoring_of_the_database_needs_no_policy_beside_its_role(stacks: Mapping[str, TemplateJson]) -> None:
    resources = stacks["Database"]["Resources"]
    (instance,) = (one for one in resources.values() if one["Type"] == "AWS::RDS::DBInstance")
    (role,) = named(instance["Properties"]["MonitoringRoleArn"])
    assert resources[role]["Properties"]["Policies"]
