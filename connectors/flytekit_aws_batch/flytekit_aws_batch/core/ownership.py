"""What belongs to another project: the connector may use all of it, and no task may have it by naming it.

Only what the settings give to somebody is anybody's: where they give nothing, anything may be named.
"""

from collections.abc import Iterator, Mapping

from flytekit_aws_batch.core.containers import secret_id
from flytekit_aws_batch.core.job_tags import filled
from flytekit_aws_batch.core.plan import JobRequest
from flytekit_aws_batch.core.settings import Settings

_ALL = "*"


def problems(request: JobRequest, settings: Settings) -> Iterator[str]:
    """What a task names that is another project's, or the same project's in another domain."""
    spec, space = request.spec, f"{request.project}/{request.domain}"
    roles = (settings.job_roles, settings.execution_roles)
    projects = _projects(settings)
    # Who comes with a role of the execution's is known to whoever gave that.
    if projects and request.project not in projects and request.job_role is None:
        yield (
            f"project {request.project!r}: the connector's settings know {', '.join(sorted(projects))} only; run the "
            "task in one of those, or have this project's roles written into the settings"
        )
    for what, role in (("execution_role", spec.execution_role), ("the job's role", request.job_role)):
        if owner := _owner(role, space, *roles):
            yield _refusal(what, role, owner, f"leave it out, or name a role of {space}")
    if owner := _owner(spec.share, request.project, settings.shares):
        yield _refusal("share", spec.share, owner, "leave it out, and the job has its own project's")
    points = [one.access_points for one in settings.file_systems.values()]
    for position, mount in enumerate(spec.mounts):
        if owner := _owner(mount.access_point, space, *points):
            what = f"mounts[{position}].access_point"
            yield _refusal(what, mount.access_point, owner, f"leave it out, or name one of {space}")
    for variable, secret in sorted(spec.secrets.items()):
        if owner := _secret_owner(secret_id(secret, request, settings), space, settings):
            prefix = filled(settings.secret_prefix, request.project, request.domain)
            yield _refusal(f"secrets[{variable!r}]", secret.secret, owner, f"name a secret below {prefix}")


def is_anothers_share(share: str | None, project: str, settings: Settings) -> bool:
    """Whether the settings give a share to another project."""
    return _owner(share, project, settings.shares) is not None


def _refusal(what: str, value: str | None, owner: str, remedy: str) -> str:
    return f"{what}={value!r}: the connector's settings give it to {owner}; {remedy}"


def _owner(value: str | None, here: str, *given: Mapping[str, str]) -> str | None:
    """To whom else it is given. None: to nobody, or to who is here, too."""
    owners = sorted({name for each in given for name, thing in each.items() if thing == value})
    return None if not owners or here in owners or _ALL in owners else owners[0]


def _secret_owner(secret: str, here: str, settings: Settings) -> str | None:
    """Below whose prefix a secret is, where it is not one's own: of two that fit, the longer one."""
    name = secret.partition(":secret:")[2] or secret
    prefixes = {space: filled(settings.secret_prefix, *space.split("/", 1)) for space in {here, *_spaces(settings)}}
    fitting = [space for space, prefix in prefixes.items() if name.startswith(prefix)]
    owner = max(fitting, key=lambda space: (len(prefixes[space]), space == here, space), default=here)
    return None if owner == here else owner


def _projects(settings: Settings) -> set[str]:
    """Those that the settings know, where they give each its own roles. None: any may come."""
    given = [roles for roles in (settings.job_roles, settings.execution_roles) if roles]
    if not given or any(_ALL in roles for roles in given):
        return set()
    # A share alone makes no project known only: who has none in the settings has one made of the name.
    return {name.partition("/")[0] for roles in given for name in roles} | {*settings.shares}


def _spaces(settings: Settings) -> set[str]:
    """All projects in their domains that the settings know of."""
    points = (one.access_points for one in settings.file_systems.values())
    named = {name for each in (settings.job_roles, settings.execution_roles, *points) for name in each if "/" in name}
    domains = {*settings.queues, *(name.partition("/")[2] for name in named)} - {_ALL}
    projects = {*settings.shares, *(name.partition("/")[0] for name in named)}
    return {f"{project}/{domain}" for project in projects for domain in domains}
