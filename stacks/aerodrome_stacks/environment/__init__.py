"""The environment: what a team decides about one AWS account and region, read from ``environments/<name>.yaml``."""

from aerodrome_stacks.environment.conflicts import conflicts
from aerodrome_stacks.environment.load import (
    InvalidEnvironmentError,
    environment_file,
    environment_names,
    load_environment,
)
from aerodrome_stacks.environment.model import Environment

__all__ = [
    "Environment",
    "InvalidEnvironmentError",
    "conflicts",
    "environment_file",
    "environment_names",
    "load_environment",
]
