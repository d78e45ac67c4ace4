"""The KubernetesLogs stack: where the output of pods goes, a log group for each namespace."""

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct
from ruamel.yaml import YAML

from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.chart_values import CHARTS
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.names import kubernetes_log_group
from aerodrome_stacks.project_roles import project_tags
from aerodrome_stacks.retention import log_retention

OTHER = "other"
"""What takes the place of the namespace in the name of the group of all namespaces that have none of their own: those
that somebody made by hand."""

# Kubernetes' own, which is there before us.
_SYSTEM = "kube-system"


class KubernetesLogsStack(AerodromeStack):
    """A log group for each namespace, made here and not by who writes: with a retention, a key and an owner's tags."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment, log_key: kms.IKey) -> None:
        """Make the stack.

        Args:
            scope: The app.
            construct_id: The stack's part of the platform.
            environment: What the team decided.
            log_key: The key that encrypts the groups.
        """
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="Log groups of Kubernetes: one for each namespace of the platform and of its projects",
        )
        projects = project_namespaces(environment)
        for namespace in (*platform_namespaces(), *projects, OTHER):
            group = logs.LogGroup(
                self,
                namespace,
                log_group_name=log_group_name(environment, namespace),
                retention=log_retention(environment),
                encryption_key=log_key,
                # Not when its creation is rolled back: its name would be taken at the next try.
                removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            )
            # By which a team is let read its own.
            for key, value in project_tags(*projects[namespace]).items() if namespace in projects else ():
                cdk.Tags.of(group).add(key, value)


def log_group_name(environment: Environment, namespace: str) -> str:
    """The name of a namespace's log group, such as ``/aerodrome/dev/kubernetes/flyte``."""
    return kubernetes_log_group(environment, namespace)


def log_namespaces(environment: Environment) -> Sequence[str]:
    """The namespaces that have a log group of their own."""
    return [*platform_namespaces(), *project_namespaces(environment)]


@cache
def platform_namespaces() -> Sequence[str]:
    """The namespaces of the platform's components: what ``charts/aerodrome-foundation`` makes, and Kubernetes' own."""
    values = YAML(typ="safe").load(CHARTS / "aerodrome-foundation" / "values.yaml")
    return (_SYSTEM, *values["namespaces"])


def project_namespaces(environment: Environment) -> Mapping[str, tuple[str, str]]:
    """The namespaces in which projects' pods run, each with the project and the domain.

    Flyte gives every project every domain; where the environment gives it none, the quota lets no pod in.
    """
    return MappingProxyType(
        {f"{project}-{domain}": (project, domain) for project, domain in environment.project_domains}
    )
