"""Which projects may refer to the registered tasks of which others, domain by domain."""

from collections.abc import Sequence

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.domain_types import Domain


def uses(environment: Environment, name: str, domain: Domain) -> Sequence[str]:
    """The other projects whose tasks a project may refer to in a domain: those it names that have the domain, too."""
    having = {project.name for project in environment.projects if domain in project.domains}
    named = next((project.uses for project in environment.projects if project.name == name), ())
    return [other for other in named if other in having]


def users(environment: Environment, name: str, domain: Domain) -> Sequence[str]:
    """The other projects that may refer to a project's tasks in a domain."""
    return [
        project.name
        for project in environment.projects
        if domain in project.domains and name in uses(environment, project.name, domain)
    ]
