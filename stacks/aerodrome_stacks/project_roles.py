"""The tags of all that is one project's."""

from aerodrome_constructs.identity import PROJECT_TAG

DOMAIN_TAG = "aerodrome:domain"
"""The tag of what is one project's that says in which domain."""


def project_tags(project: str, domain: str) -> dict[str, str]:
    """The tags that say whose something is: a role, a directory, a job definition, a job.

    Who submits a job gives it them as well: tags of a definition go to the ECS task, and not to the job
    (``propagateTags`` of SubmitJob).
    """
    return {PROJECT_TAG: project, DOMAIN_TAG: domain}
