"""How a project's roles are called, for those who know them by name, and the tags of all that is one project's."""

from aerodrome_constructs.identity import PROJECT_TAG
from aerodrome_stacks.base import resource_prefix
from aerodrome_stacks.environment import Environment

DOMAIN_TAG = "aerodrome:domain"
"""The tag of what is one project's that says in which domain."""

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


def project_tags(project: str, domain: str) -> dict[str, str]:
    """The tags that say whose something is: a role, a directory, a job definition, a job.

    Who submits a job gives it them as well: tags of a definition go to the ECS task, and not to the job
    (``propagateTags`` of SubmitJob).
    """
    return {PROJECT_TAG: project, DOMAIN_TAG: domain}
