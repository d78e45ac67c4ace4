"""Caches before registries that others run, and the right to fill them."""

from collections.abc import Mapping, Sequence

from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from constructs import Construct

from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import WILDCARDS


class PullThroughCaches(Construct):
    """ECR brings an image when somebody first pulls it, and looks once a day whether its tag has moved.

    Only registries that want no password: with one, a secret and its rotation would come along.

    Args:
        scope: The scope.
        construct_id: The ID.
        prefixes: By registry, such as ``quay.io``, the first part of the names of the repositories that cache it: 2 to
            30 characters.
    """

    def __init__(self, scope: Construct, construct_id: str, *, prefixes: Mapping[str, str]) -> None:
        super().__init__(scope, construct_id)
        for registry, prefix in prefixes.items():
            ecr.CfnPullThroughCacheRule(
                self,
                "".join(word.capitalize() for word in registry.split(".")),
                ecr_repository_prefix=prefix,
                upstream_registry_url=registry,
            )


def let_fill_caches(
    scope: Construct, construct_id: str, *, roles: Sequence[iam.IRole], repositories: Sequence[str]
) -> None:
    """Give roles what a node needs beside the right to pull: the first pull makes the repository, and brings the image.

    Args:
        scope: What the policy belongs to.
        construct_id: Its ID there.
        roles: The roles of nodes.
        repositories: ARNs of the caches' repositories, as patterns that end in ``*``.
    """
    policy = iam.ManagedPolicy(
        scope,
        construct_id,
        description="Fill the caches before the registries that images are published in",
        roles=list(roles),
        statements=[
            iam.PolicyStatement(
                sid="FillImageCaches",
                actions=["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"],
                resources=list(repositories),
            )
        ],
    )
    acknowledge(
        policy,
        WILDCARDS,
        reason="a cache has a repository for each image that is pulled through it, which the first pull makes",
        findings=[f"Resource::{repository.removesuffix('*')}[*]" for repository in repositories],
    )
