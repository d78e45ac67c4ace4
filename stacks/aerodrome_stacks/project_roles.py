"""The names of projects' roles, for those who know a role by its name: Flyte, and what cleans up behind it."""

from aerodrome_stacks.base import resource_prefix
from aerodrome_stacks.environment import Environment

# IAM's limit. A longer name fails the deploy half-way; here it fails the synth.
_LONGEST_ROLE_NAME = 64


def project_role_name(environment: Environment, project: str, domain: str) -> str:
    """The name of a project's role in a domain, such as ``aerodrome-dev-fraud-detection-development``.

    Raises:
        ValueError: IAM takes no name of that length.
    """
    name = f"{resource_prefix(environment)}-{project}-{domain}"
    if len(name) > _LONGEST_ROLE_NAME:
        surplus = len(name) - _LONGEST_ROLE_NAME
        message = (
            f"the role of project {project} in domain {domain} would be called {name}: {len(name)} characters, and "
            f"IAM allows {_LONGEST_ROLE_NAME}; choose a project name that is {surplus} shorter"
        )
        raise ValueError(message)
    return name
