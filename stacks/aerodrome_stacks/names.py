"""The names that the platform chooses itself and that others go by: people, policies, Flyte, the command.

Nothing here needs the CDK, so that a command that only tells of names starts at once.
"""

from aerodrome_stacks.environment import Environment

# IAM's limit. A longer name fails the deploy half-way; here it fails the synth.
_LONGEST_ROLE_NAME = 64


def resource_prefix(environment: Environment) -> str:
    """The first part of every name that the platform chooses itself, such as ``aerodrome-dev``."""
    return f"aerodrome-{environment.name}"


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


def own_prefix(project: str, domain: str) -> str:
    """Where a project's own objects lie in a bucket that projects share, without a slash at the end."""
    return f"{project}/{domain}"


def jobs_log_group(environment: Environment, project: str, domain: str) -> str:
    """Where a project's jobs in a domain write, such as ``/aerodrome/dev/jobs/fraud-detection-development``."""
    return f"/aerodrome/{environment.name}/jobs/{project}-{domain}"


def kubernetes_log_group(environment: Environment, namespace: str) -> str:
    """Where the pods of a namespace write, such as ``/aerodrome/dev/kubernetes/flyte``."""
    return f"/aerodrome/{environment.name}/kubernetes/{namespace}"


def flyte_jobs_role_name(environment: Environment, project: str, domain: str) -> str:
    """The role that ECS starts containers of a project's Flyte tasks with.

    It is called ``dev-fraud-detection-development-flyte-job``, for example. It does not begin with ``aerodrome-`` as
    others do: the longest names would have 73 characters, and IAM allows 64.
    """
    return f"{environment.name}-{project}-{domain}-flyte-job"


def flyte_definition_prefix(environment: Environment) -> str:
    """What the names of the connector's job definitions begin with, such as ``aerodrome-dev-flyte_``.

    The underscore keeps them from every project's own, which begin with ``aerodrome-<environment>-<project>-``: with a
    hyphen, people of a project called flyte could submit another project's.
    """
    return f"{resource_prefix(environment)}-flyte_"


def flyte_jobs_events_name(environment: Environment) -> str:
    """The queue with state changes of Flyte tasks' jobs, such as ``aerodrome-dev-flyte-job-changes``."""
    return f"{resource_prefix(environment)}-flyte-job-changes"
