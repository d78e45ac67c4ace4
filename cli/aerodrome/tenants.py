"""``aerodrome tenants``: says which project has what, from the environments' files."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.box import ROUNDED
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aerodrome.project import PROJECT
from aerodrome_stacks.batch_queues import Kind, flyte_queue_name, kinds, queue_name
from aerodrome_stacks.environment import (
    Environment,
    InvalidEnvironmentError,
    environment_names,
    load_environment,
)
from aerodrome_stacks.environment.domain_types import Domain
from aerodrome_stacks.environment.model import Project
from aerodrome_stacks.environment.wording import listing
from aerodrome_stacks.names import jobs_log_group, kubernetes_log_group, own_prefix, project_role_name
from aerodrome_stacks.sharing import users, uses
from aerodrome_stacks.task_limits import TaskLimits, job_limits, pod_limits, quota_limits

_INVALID = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a project has in one domain.

    Attributes:
        namespace: Where its pods run.
        role: The IAM role of its pods and jobs.
        quota: What its pods may have together.
        largest_pod: The most that one task may ask for that runs as a pod.
        largest_job: The most that one task may ask for that runs on AWS Batch.
        max_parallelism: Most tasks of one execution at once. None: as many as the platform lets all.
        flyte_queue: The queue of AWS Batch of its Flyte tasks.
        queues: The queues of AWS Batch that its people submit jobs to.
        prefix: Below which it has its objects, in each bucket that projects share.
        uses: The projects whose registered tasks it may refer to.
        used_by: The projects that may refer to its own.
        logs: The log groups of its pods and of its jobs.
    """

    namespace: str
    role: str
    quota: TaskLimits
    largest_pod: TaskLimits
    largest_job: TaskLimits
    max_parallelism: int | None
    flyte_queue: str
    queues: Sequence[str]
    prefix: str
    uses: Sequence[str]
    used_by: Sequence[str]
    logs: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A project of one environment.

    Attributes:
        project: Its name.
        owner: Who answers for it.
        batch_share: Its weight in the fair-share queues of AWS Batch.
        batch_shares: The weights of all projects together.
        batch_daily_usd: What its jobs may cost in a day before people are told.
        domains: What it has in each of its domains.
    """

    project: str
    owner: str
    batch_share: int
    batch_shares: int
    batch_daily_usd: int
    domains: Mapping[Domain, Place]


def tenants(
    env: Annotated[str | None, typer.Option("--env", "-e", help="The environment. Left out, all.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say which project has what: namespaces, quotas, roles, queues, prefixes, logs, and what it uses of others."""
    names = environment_names(PROJECT.environments) if env is None else (env,)
    try:
        environments = [load_environment(name, PROJECT.environments) for name in names]
    except InvalidEnvironmentError as error:
        typer.echo("\n".join(error.problems), err=True)
        raise typer.Exit(_INVALID) from None
    if as_json:
        typer.echo(json.dumps({one.name: _document(one) for one in environments}, indent=2))
        return
    console = Console()
    for environment in environments:
        _print(console, environment)


def tenants_of(environment: Environment) -> Sequence[Tenant]:
    """The projects of an environment, in the order of its file."""
    shares = sum(project.batch.share for project in environment.projects)
    return [
        Tenant(
            project=project.name,
            owner=project.owner,
            batch_share=project.batch.share,
            batch_shares=shares,
            batch_daily_usd=project.batch.daily_usd,
            domains={domain: _place(environment, project, domain) for domain in project.domains},
        )
        for project in environment.projects
    ]


def _place(environment: Environment, project: Project, domain: Domain) -> Place:
    quota = project.domains[domain]
    namespace = f"{project.name}-{domain}"
    return Place(
        namespace=namespace,
        role=project_role_name(environment, project.name, domain),
        quota=quota_limits(quota),
        largest_pod=pod_limits(environment, quota),
        largest_job=quota_limits(quota).within(job_limits(environment)),
        max_parallelism=quota.max_parallelism,
        flyte_queue=flyte_queue_name(environment, domain, Kind(quota.queue)),
        queues=[queue_name(environment, domain, kind) for kind in kinds(environment)],
        prefix=f"{own_prefix(project.name, domain)}/",
        uses=uses(environment, project.name, domain),
        used_by=users(environment, project.name, domain),
        logs={
            "pods": kubernetes_log_group(environment, namespace),
            "jobs": jobs_log_group(environment, project.name, domain),
        },
    )


def _document(environment: Environment) -> dict[str, object]:
    return {
        "account": environment.account,
        "region": environment.region,
        "projects": [asdict(tenant) for tenant in tenants_of(environment)],
    }


def _print(console: Console, environment: Environment) -> None:
    title = f"{environment.name}: account {environment.account} in {environment.region}"
    if not console.is_terminal:
        typer.echo(title)
        for tenant in tenants_of(environment):
            typer.echo(f"  {tenant.project}: {_of_project(tenant)}")
            rows = [(domain, *row) for domain, place in tenant.domains.items() for row in _rows(place)]
            width = max(len(f"{domain} {label}") for domain, label, _ in rows)
            for domain, label, text in rows:
                typer.echo(f"    {f'{domain} {label}':{width}}  {text}")
        return
    table = Table(box=ROUNDED, show_header=False, title=Text(title, style="bold"), title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for tenant in tenants_of(environment):
        table.add_row(tenant.project, "", Text(_of_project(tenant)), style="bold")
        for domain, place in tenant.domains.items():
            for number, (label, text) in enumerate(_rows(place)):
                table.add_row("" if number else f"  {domain}", label, Text(text))
        table.add_section()
    console.print(table)


def _of_project(tenant: Tenant) -> str:
    share = f"{tenant.batch_share} of {tenant.batch_shares} shares of AWS Batch"
    return f"{tenant.owner}; {share}, ${tenant.batch_daily_usd:,} a day"


def _rows(place: Place) -> Iterator[tuple[str, str]]:
    yield "namespace", place.namespace
    yield "quota", f"{_amounts(place.quota)} for all pods"
    yield "one task", f"{_amounts(place.largest_pod)} as a pod; {_amounts(place.largest_job)} on AWS Batch"
    if place.max_parallelism is not None:
        yield "at once", f"{place.max_parallelism} tasks of an execution"
    yield "role", place.role
    yield "objects", f"{place.prefix} in the buckets of raw data, metadata, Batch input and Batch output"
    yield "queues", f"{place.flyte_queue} for Flyte; {', '.join(place.queues)}"
    yield "logs", ", ".join(place.logs.values())
    if place.uses:
        yield "uses", f"what {listing(place.uses)} registered"
    if place.used_by:
        yield "used by", listing(place.used_by)


def _amounts(limits: TaskLimits) -> str:
    gpus = f", {limits.gpu:,} GPUs" if limits.gpu else ""
    return f"{limits.cpu:,} vCPUs, {limits.memory_gib:,} GiB{gpus}"
