"""Amazon ECR as the registry of software that others publish: copies of it, and caches before where it is published."""

from aerodrome_constructs.registry.mirror_repositories import MirrorRepositories
from aerodrome_constructs.registry.pull_through_caches import PullThroughCaches, let_fill_caches

__all__ = ["MirrorRepositories", "PullThroughCaches", "let_fill_caches"]
