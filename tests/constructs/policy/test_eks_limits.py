from aerodrome_constructs.policy.eks_limits import RULE
from tests.constructs.policy.findings import findings, resource

GROUP = "AWS::EKS::Nodegroup"


def test_a_cluster_takes_30_node_groups() -> None:
    groups = {f"Group{number}": resource(GROUP, ClusterName={"Ref": "Cluster"}) for number in range(31)}
    assert findings(RULE, **dict(list(groups.items())[:30])) == []
    assert findings(RULE, **groups) == [f"Group30 : number 31 of {GROUP}; a cluster has at most 30"]


def test_each_cluster_counts_for_itself() -> None:
    groups = {f"Group{number}": resource(GROUP, ClusterName={"Ref": f"Cluster{number % 2}"}) for number in range(60)}
    assert findings(RULE, **groups) == []


def test_a_group_takes_450_nodes() -> None:
    assert findings(RULE, Group=resource(GROUP, ScalingConfig={"MaxSize": 450})) == []
    assert findings(RULE, Group=resource(GROUP, ScalingConfig={"MaxSize": 451})) == [
        "Group Properties.ScalingConfig.MaxSize: 451 nodes; a group has at most 450"
    ]


def test_a_group_takes_50_taints() -> None:
    taints = [{"Key": f"key{number}", "Effect": "NO_SCHEDULE"} for number in range(51)]
    assert findings(RULE, Group=resource(GROUP, Taints=taints[:50])) == []
    assert len(findings(RULE, Group=resource(GROUP, Taints=taints))) == 1


def test_a_control_plane_takes_4_security_groups_and_40_ranges() -> None:
    def access(groups: int, ranges: int) -> dict[str, list[str]]:
        return {
            "SecurityGroupIds": [f"sg-{number}" for number in range(groups)],
            "PublicAccessCidrs": [f"203.0.113.{number}/32" for number in range(ranges)],
        }

    assert findings(RULE, Cluster=resource("AWS::EKS::Cluster", ResourcesVpcConfig=access(4, 40))) == []
    assert findings(RULE, Cluster=resource("AWS::EKS::Cluster", ResourcesVpcConfig=access(5, 41))) == [
        "Cluster Properties.ResourcesVpcConfig.SecurityGroupIds: 5 SecurityGroupIds; a cluster takes 4",
        "Cluster Properties.ResourcesVpcConfig.PublicAccessCidrs: 41 PublicAccessCidrs; a cluster takes 40",
    ]
