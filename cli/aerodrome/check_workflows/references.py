"""Holds what a package refers to against what an environment lets its project use."""

from collections.abc import Iterator

from aerodrome.check_workflows.facts import Package, Reference
from aerodrome.check_workflows.rules import Finding
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.domain_types import Domain
from aerodrome_stacks.environment.wording import listing
from aerodrome_stacks.sharing import users, uses


def foreign(package: Package, environment: Environment, project: str | None) -> Iterator[Finding]:
    """Find what is referred to and not the project's to use.

    Args:
        package: What would be registered.
        environment: Where.
        project: The project that it would be registered in. None: not known, so that only what no project may refer to
            is refused.
    """
    domains = {one.name: one.domains for one in environment.projects}
    # The same one, used twice in a workflow, is one mistake.
    for reference in dict.fromkeys(package.references):
        if reference.project == project:
            continue
        domain = next((domain for domain in domains.get(reference.project, ()) if domain == reference.domain), None)
        if reference.project not in domains:
            yield _refused(
                reference,
                f"{environment.name} has no project of that name; there are {listing(list(domains))}",
                "name the project and domain in which it is registered",
            )
        elif domain is None:
            there = listing(sorted(domains[reference.project]))
            yield _refused(
                reference,
                f"in {environment.name} that project has {there}, and not this domain",
                "name the domain in which it is registered",
            )
        elif project is None:
            yield from _by_anybody(reference, environment, domain)
        elif domain not in domains[project] or reference.project not in uses(environment, project, domain):
            yield _refused(
                reference,
                f"{environment.name} does not let {project} use {reference.project} in {domain}: its role could not "
                "read what that project's tasks hand on",
                f"ask its owner, and add {reference.project} to projects[].uses of {project} in the environment's file",
            )
        elif reference.kind == "launch plan":
            yield _finding(
                reference,
                f"its tasks run as {reference.project}, and Flyte has them write files below {project}'s prefix, where "
                f"the role of {reference.project} may not: numbers and texts come back, files do not",
                "refer to its tasks, whose pods run here; or leave it if no file is handed over",
                refused=False,
            )


def _by_anybody(reference: Reference, environment: Environment, domain: Domain) -> Iterator[Finding]:
    allowed = users(environment, reference.project, domain)
    yield _finding(
        reference,
        f"in {environment.name} that is for {listing([reference.project, *allowed])} only, and it is not known which "
        "project this is registered in",
        "say it: --project NAME",
        refused=False,
    )


def _refused(reference: Reference, reason: str, way_out: str) -> Finding:
    return _finding(reference, reason, way_out, refused=True)


def _finding(reference: Reference, reason: str, way_out: str, *, refused: bool) -> Finding:
    return Finding(
        refused=refused,
        place=reference.place,
        subject=reference.subject,
        value=f"{reference.kind} {reference.name} of {reference.project} in {reference.domain}",
        reason=reason,
        way_out=way_out,
    )
