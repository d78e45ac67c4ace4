"""The secrets of one namespace, as a release of ``charts/aerodrome-secrets``."""

from collections.abc import Mapping

from aws_cdk import aws_eks_v2 as eks
from constructs import Construct

from aerodrome_constructs.helm import HelmRelease, HelmReleaseProps
from aerodrome_stacks.chart_values import release
from aerodrome_stacks.chart_values.secrets import SecretKeys, secrets
from aerodrome_stacks.environment import Environment


def namespace_secrets(
    scope: Construct,
    *,
    environment: Environment,
    cluster: eks.ICluster,
    namespace: str,
    by_name: Mapping[str, SecretKeys],
) -> HelmRelease:
    """Install the release that copies a namespace's secrets from AWS Secrets Manager.

    Args:
        scope: The stack whose other releases need the secrets.
        environment: The environment.
        cluster: The cluster.
        namespace: The namespace.
        by_name: Kubernetes secrets by name, each with its keys and where their values come from.
    """
    spec = release("aerodrome-secrets", environment).installed_as(f"{namespace}-secrets", namespace)
    values = secrets(environment, by_name)
    return HelmRelease(scope, "Secrets", HelmReleaseProps(cluster=cluster, spec=spec, values=values))
