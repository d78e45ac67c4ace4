"""The Images stack: where nodes find the platform's images and charts, if not where they are published."""

from constructs import Construct

from aerodrome_constructs.registry import MirrorRepositories, PullThroughCaches
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.image_list import PULL_THROUGH, cache_prefix, mirror_repositories


class ImagesStack(AerodromeStack):
    """A repository for each image and chart, to be filled by ``aerodrome mirror``, or caches that fill themselves.

    An environment that takes images from their publishers has no such stack.
    """

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment) -> None:
        mirrored = environment.images == "mirror"
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="Copies of images and charts in ECR, or caches of them",
            holds_data=mirrored,
        )
        if mirrored:
            MirrorRepositories(self, "Mirror", names=mirror_repositories(environment))
        else:
            prefixes = {registry: cache_prefix(environment, registry) for registry in PULL_THROUGH}
            PullThroughCaches(self, "Caches", prefixes=prefixes)
