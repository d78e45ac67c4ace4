"""Values that stacks hand to each other: what CloudFormation would refuse, said before the deploy."""

import json
from typing import Any

import pytest

from aerodrome.plan.handed_on import hand_on
from aerodrome.plan.model import PropertyChange, ResourceChange, Verdict
from aerodrome.plan.templates import StackTemplate
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


def refused(project: PlanProject, before: Stacks, after: Stacks) -> list[str]:
    """What AWS refuses, which must be what the exit status says."""
    project.commit(before)
    project.write(after)
    result = project.plan("--json")
    sentences: list[str] = json.loads(result.stdout)["refused"]
    assert result.exit_code == (4 if sentences else 0)
    return sentences


def test_a_value_that_stays_is_fine(project: PlanProject) -> None:
    before = stacks({"Ref": "Vpc"}, "10.16.0.0/16")

    assert refused(project, before, before) == []


def test_a_value_of_a_replaced_resource_cannot_change_while_it_is_used(project: PlanProject) -> None:
    found = refused(project, stacks({"Ref": "Vpc"}, "10.16.0.0/16"), stacks({"Ref": "Vpc"}, "10.17.0.0/16"))

    assert found == [
        (
            "what aerodrome-dev-network exports would change with its resource (aerodrome-dev-network:Vpc) while "
            "aerodrome-dev-cluster uses it: CloudFormation refuses that. What uses it has to be rebuilt, too: make the "
            "new one beside the old one, move the users to it, and remove the old one in a later deploy"
        )
    ]


def test_another_value_cannot_be_exported_while_the_first_is_used(project: PlanProject) -> None:
    other = {"Fn::GetAtt": ["Vpc", "VpcId"]}

    (found,) = refused(project, stacks({"Ref": "Vpc"}, "10.16.0.0/16"), stacks(other, "10.16.0.0/16"))

    assert "exports would change (" in found
    assert found.endswith("Deploy twice: first without the use, then this")


def test_a_value_cannot_go_while_it_is_used_even_if_the_user_goes_too(project: PlanProject) -> None:
    (found,) = refused(project, stacks({"Ref": "Vpc"}, "10.16.0.0/16"), stacks(None, "10.16.0.0/16", used="vpc-1"))

    assert "exports would go away (aerodrome-dev-network:Vpc) while aerodrome-dev-cluster uses it" in found
    assert found.endswith("first, alone and without the use (`cdk deploy --exclusively`), then the rest")


def test_a_value_that_nobody_uses_may_go(project: PlanProject) -> None:
    unused = stacks({"Ref": "Vpc"}, "10.16.0.0/16", used="vpc-1")

    assert refused(project, unused, stacks(None, "10.16.0.0/16", used="vpc-1")) == []


def test_a_stack_that_leaves_the_app_stays_deployed_with_what_it_exports(project: PlanProject) -> None:
    before = stacks({"Ref": "Vpc"}, "10.16.0.0/16")
    without = stacks({"Ref": "Vpc"}, "10.16.0.0/16", used="vpc-1")

    assert refused(project, before, {"Cluster": without["Cluster"]}) == []


def test_a_stack_that_leaves_the_app_stays_deployed_with_what_it_uses(project: PlanProject) -> None:
    before, after = stacks({"Ref": "Vpc"}, "10.16.0.0/16"), stacks(None, "10.16.0.0/16")

    (found,) = refused(project, before, {"Network": after["Network"]})

    assert found == (
        "what aerodrome-dev-network exports would go away (aerodrome-dev-network:Vpc) while aerodrome-dev-cluster "
        "uses it: CloudFormation refuses that. No longer in the app, and left as deployed, uses and all: "
        "aerodrome-dev-cluster. Let the value be exported as before (`export_value`), or delete what is left first, "
        "if nobody needs it"
    )


def test_what_helps_is_said_of_users_in_the_app_and_of_those_that_left_it(project: PlanProject) -> None:
    before, after = stacks({"Ref": "Vpc"}, "10.16.0.0/16"), stacks(None, "10.16.0.0/16", used="vpc-1")
    before["Tracking"] = before["Cluster"]

    (found,) = refused(project, before, after)

    assert "while aerodrome-dev-cluster, aerodrome-dev-tracking use it" in found
    assert "(`cdk deploy --exclusively`), then the rest. No longer in the app" in found
    assert "uses and all: aerodrome-dev-tracking. Let" in found


def test_a_value_that_a_stack_that_left_the_app_uses_may_stay(project: PlanProject) -> None:
    before = stacks({"Ref": "Vpc"}, "10.16.0.0/16")

    assert refused(project, before, {"Network": before["Network"]}) == []


def test_a_value_that_an_update_in_place_leaves_as_it_is_may_stay_in_use(project: PlanProject) -> None:
    before, after = (stacks({"Ref": "Vpc"}, "10.16.0.0/16") for _ in range(2))
    after["Network"]["template"]["Resources"]["Vpc"]["Properties"]["EnableDnsSupport"] = True

    assert refused(project, before, after) == []


def test_what_aws_refuses_is_said_last_and_ends_with_status_4(project: PlanProject) -> None:
    project.commit(stacks({"Ref": "Vpc"}, "10.16.0.0/16"))
    project.write(stacks({"Ref": "Vpc"}, "10.17.0.0/16"))

    result = project.plan()

    assert result.exit_code == 4
    heading, sentence = result.stdout.splitlines()[-2:]
    assert heading == "Refused: AWS does not do this, and the deploy would fail:"
    assert sentence.startswith("  what aerodrome-dev-network exports would change with its resource")


USES = [
    {"Fn::ImportValue": EXPORT},
    {"Fn::ImportValue": {"Fn::Join": [":", ["aerodrome-dev-network", "Vpc"]]}},
    {"Fn::Join": ["", ["", {"Fn::ImportValue": EXPORT}]]},
]


@pytest.mark.parametrize("use", USES, ids=json.dumps)
def test_a_user_in_another_stack_is_replaced_with_the_resource_and_what_follows_it_too(
    project: PlanProject, use: object
) -> None:
    before, after = (stacks({"Ref": "Vpc"}, cidr, use) for cidr in ("10.16.0.0/16", "10.17.0.0/16"))
    nodes = resource("AWS::EKS::Nodegroup", RemoteAccess={"SourceSecurityGroups": [{"Ref": "Group"}]})
    for each in (before, after):
        each["Cluster"]["template"]["Resources"]["Nodes"] = nodes
    project.commit(before)
    project.write(after)

    found = {one["resource"]: one for one in json.loads(project.plan("--json").stdout)["changes"]}

    assert {name: one["verdict"] for name, one in found.items()} == {
        "Network/Vpc": "replaced",
        "Cluster/Group": "replaced",
        "Cluster/Nodes": "replaced",
    }
    follows = {name: one["properties"][0]["follows"] for name, one in found.items()}
    assert follows == {"Network/Vpc": None, "Cluster/Group": "Network/Vpc", "Cluster/Nodes": "Group"}


def test_data_in_another_stack_that_follows_stops_the_plan(project: PlanProject) -> None:
    def named(name: str) -> Stacks:
        group = resource("AWS::RDS::DBSubnetGroup", DBSubnetGroupName=name)
        output = {"Value": {"Ref": "Group"}, "Export": {"Name": EXPORT}}
        database = resource("AWS::RDS::DBInstance", DBSubnetGroupName={"Fn::ImportValue": EXPORT})
        return {
            "Network": {"template": {"Resources": {"Group": group}, "Outputs": {"Group": output}}},
            "Database": {"template": {"Resources": {"Postgres": database}}},
        }

    project.commit(named("one"))
    project.write(named("other"))

    result = project.plan()

    assert result.exit_code == 3
    assert "  Database/Postgres (AWS::RDS::DBInstance) would be replaced: it holds the databases" in result.stdout


def test_a_value_handed_through_a_stack_in_between_reaches_the_last(project: PlanProject) -> None:
    def through(cidr: str) -> Stacks:
        between = {"Value": {"Fn::ImportValue": EXPORT}, "Export": {"Name": "aerodrome-dev-between:Vpc"}}
        all_of_it = stacks({"Ref": "Vpc"}, cidr, {"Fn::ImportValue": "aerodrome-dev-between:Vpc"})
        topic = resource("AWS::SNS::Topic", DisplayName="between")
        return {**all_of_it, "Between": {"template": {"Resources": {"Topic": topic}, "Outputs": {"Vpc": between}}}}

    project.commit(through("10.16.0.0/16"))
    project.write(through("10.17.0.0/16"))

    found = json.loads(project.plan("--json").stdout)["changes"]

    assert {one["resource"]: one["verdict"] for one in found} == {
        "Network/Vpc": "replaced",
        "Cluster/Group": "replaced",
    }


class TestOverChangeSets:
    """What CloudFormation says of each stack by itself is the start of what follows over all of them."""

    def stack(self, name: str, content: Stacks) -> StackTemplate:
        body = content[name]["template"]
        full = f"aerodrome-dev-{name.lower()}"
        return StackTemplate(stack=name, name=full, region="us-east-1", account="111122223333", body=body)

    def follow(self, verdict: Verdict) -> dict[str, Verdict]:
        """What follows when a change set says this of the network, of whose template no edit tells."""
        content = stacks({"Ref": "Vpc"}, "10.16.0.0/16")
        both = [self.stack(name, content) for name in content]
        said = ResourceChange(
            stack="Network",
            stack_name="aerodrome-dev-network",
            logical_id="Vpc",
            name="Network/Vpc",
            type="AWS::EC2::VPC",
            verdict=verdict,
            properties=(PropertyChange(path="CidrBlock", verdict=verdict),),
        )
        return {change.name: change.verdict for change in hand_on(both, both, {both[0].key: [said], both[1].key: []})}

    def test_a_user_follows_what_a_change_set_replaces(self) -> None:
        assert self.follow(Verdict.REPLACED) == {"Network/Vpc": Verdict.REPLACED, "Cluster/Group": Verdict.REPLACED}

    def test_a_user_may_follow_what_may_be_replaced(self) -> None:
        found = self.follow(Verdict.MAY_BE_REPLACED)

        assert found == {"Network/Vpc": Verdict.MAY_BE_REPLACED, "Cluster/Group": Verdict.MAY_BE_REPLACED}

    def test_nothing_follows_an_update_in_place(self) -> None:
        assert self.follow(Verdict.IN_PLACE) == {"Network/Vpc": Verdict.IN_PLACE}

    def test_what_a_change_set_does_not_name_does_not_change(self) -> None:
        before, after = (stacks({"Ref": "Vpc"}, cidr) for cidr in ("10.16.0.0/16", "10.17.0.0/16"))

        old, new = ([self.stack(name, one) for name in one] for one in (before, after))

        assert hand_on(old, new, {}) == []
