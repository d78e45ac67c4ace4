"""Values that stacks hand to each other: what CloudFormation would refuse, said before the deploy."""

from typing import Any

from tests.cli.plan.projects import PlanProject, Stacks, resource

EXPORT = "aerodrome-dev-network:Vpc"


def stacks(value: Any, cidr: str, used: object = None) -> Stacks:  # noqa: ANN401 - JSON
    """Network exports a value, and Cluster uses it, or something else."""
    outputs = {"Vpc": {"Value": value, "Export": {"Name": EXPORT}}} if value else {}
    used = used or {"Fn::ImportValue": EXPORT}
    group = resource("AWS::EC2::SecurityGroup", GroupDescription="d", VpcId=used)
    vpc = resource("AWS::EC2::VPC", CidrBlock=cidr)
    return {
        "Network": {"template": {"Resources": {"Vpc": vpc}, "Outputs": outputs}},
        "Cluster": {"template": {"Resources": {"Group": group}}},
    }


def warnings(project: PlanProject, before: Stacks, after: Stacks) -> list[str]:
    project.commit(before)
    project.write(after)
    return [line for line in project.plan().stdout.splitlines() if line.startswith("warning: ")]


def test_a_value_that_stays_is_fine(project: PlanProject) -> None:
    before = stacks({"Ref": "Vpc"}, "10.16.0.0/16")

    assert warnings(project, before, before) == []


def test_a_value_of_a_replaced_resource_cannot_change_while_it_is_used(project: PlanProject) -> None:
    found = warnings(project, stacks({"Ref": "Vpc"}, "10.16.0.0/16"), stacks({"Ref": "Vpc"}, "10.17.0.0/16"))

    assert found == [
        (
            "warning: what aerodrome-dev-network exports would change (aerodrome-dev-network:Vpc) while "
            "aerodrome-dev-cluster uses it: CloudFormation refuses that. Deploy twice: first without the use, then this"
        )
    ]


def test_another_value_cannot_be_exported_while_the_first_is_used(project: PlanProject) -> None:
    other = {"Fn::GetAtt": ["Vpc", "VpcId"]}

    (found,) = warnings(project, stacks({"Ref": "Vpc"}, "10.16.0.0/16"), stacks(other, "10.16.0.0/16"))

    assert "exports would change" in found


def test_a_value_cannot_go_while_it_is_used_even_if_the_user_goes_too(project: PlanProject) -> None:
    (found,) = warnings(project, stacks({"Ref": "Vpc"}, "10.16.0.0/16"), stacks(None, "10.16.0.0/16", used="vpc-1"))

    assert "exports would go away (aerodrome-dev-network:Vpc) while aerodrome-dev-cluster uses it" in found


def test_a_value_that_nobody_uses_may_go(project: PlanProject) -> None:
    unused = stacks({"Ref": "Vpc"}, "10.16.0.0/16", used="vpc-1")

    assert warnings(project, unused, stacks(None, "10.16.0.0/16", used="vpc-1")) == []
