"""Values of the releases that every other release stands on."""

from collections.abc import Sequence

from aerodrome_constructs.cluster.scheduling import GPU_TAINT, INTERRUPTIBLE_TAINT
from aerodrome_constructs.helm import Value
from aerodrome_stacks.base import ENVIRONMENT_TAG
from aerodrome_stacks.chart_values.service_account import role_annotation
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.names import resource_prefix


def foundation(*, database_ranges: Sequence[str]) -> dict[str, Value]:
    """Values of ``charts/aerodrome-foundation``."""
    return {"databaseRanges": list(database_ranges)}


def load_balancer_controller(
    environment: Environment, *, cluster_name: str, vpc_id: str, role_arn: str
) -> dict[str, Value]:
    """Values of ``charts/aws-load-balancer-controller``.

    Region and VPC are given because the controller otherwise asks the instance metadata service, which answers node
    processes only: our nodes set a hop limit of 1.
    """
    values: dict[str, Value] = {
        "clusterName": cluster_name,
        "region": environment.region,
        "vpcId": vpc_id,
        "defaultTags": {ENVIRONMENT_TAG: environment.name},
        "serviceAccount": {"annotations": role_annotation(role_arn)},
    }
    if environment.network.private:
        # It asks about every load balancer, used or not, and the VPC has no endpoint for AWS WAF: no load balancer
        # would ever be ready (EKS User Guide, "Deploy private clusters with limited internet access").
        values["enableWafv2"] = False
    return values


def external_dns(environment: Environment, *, hosted_zone_id: str, role_arn: str) -> dict[str, Value]:
    """Values of ``charts/external-dns``."""
    return {
        "domainFilters": [environment.access.domain_name],
        "extraArgs": {"zone-id-filter": hosted_zone_id},
        # Two clusters that share a zone leave each other's records alone.
        "txtOwnerId": resource_prefix(environment),
        "serviceAccount": {"annotations": role_annotation(role_arn)},
    }


def external_secrets(*, role_arn: str) -> dict[str, Value]:
    """Values of ``charts/external-secrets``."""
    return {"serviceAccount": {"annotations": role_annotation(role_arn)}}


def karpenter(environment: Environment, *, cluster_name: str, role_arn: str, queue_name: str) -> dict[str, Value]:
    """Values of ``charts/karpenter``."""
    private = environment.network.private
    return {
        "serviceAccount": {"annotations": role_annotation(role_arn)},
        "settings": {
            "clusterName": cluster_name,
            "interruptionQueue": queue_name,
            # Without a way out it leaves the APIs alone that have no endpoint in a VPC: prices, and IAM.
            "isolatedVPC": private,
            "enableZonalShift": not private,
        },
    }


def nvidia_device_plugin() -> dict[str, Value]:
    """Values of ``charts/nvidia-device-plugin``."""
    return {"tolerations": [dict(taint.toleration) for taint in (GPU_TAINT, INTERRUPTIBLE_TAINT)]}
