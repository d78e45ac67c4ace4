"""What each of Flyte's projects has in each domain: namespace, service account, quotas, pod template, network policy.

flyteadmin applies the templates in ``project_templates/`` to every project in every domain. It fills in the project,
the domain, and values that it knows for a domain or, from its database, for one project in one domain. Hence:

- A project's role is found by its name, which is made of project and domain.
- Quotas and limits have the domain's largest as what holds at first. The project's own are put into the database by the
  job of ``charts/aerodrome-projects`` (:mod:`aerodrome_stacks.chart_values.project_settings`).
- A team's quota stands beside that of flyteadmin, made by that chart: of two quotas, the smaller one decides. Whoever
  may use Flyte can change what is in its database; the chart's quota is out of their reach, and holds from the first
  moment.
- A project that somebody registers by hand gets all of it but a role and, from the job, no quota. flyteadmin's pods
  apply the templates in an init container, before they take an execution.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from aerodrome_constructs.helm import Value
from aerodrome_stacks.chart_values import flyte_plugins
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.domain_types import Domain
from aerodrome_stacks.environment.model import Quota
from aerodrome_stacks.task_limits import TaskLimits, pod_limits, registered_limits

POD_TEMPLATE = "aerodrome-task"
"""The name of the PodTemplate in each project's namespace, which flytepropeller makes pods of tasks from."""

TASK_DEFAULTS: Mapping[str, Value] = {"cpu": "500m", "memory": "500Mi"}
"""What a task gets that asks for nothing: of flyteadmin, of flytepropeller, and of its namespace."""

MLFLOW_URI = "http://mlflow.mlflow.svc.cluster.local"
"""Where tasks find MLflow."""

MLFLOW_TOKEN_FOLDER = "/var/run/secrets/aerodrome/mlflow"  # noqa: S105 - a path
"""Where the pods of tasks find the file ``token``, by which MLflow knows their service account."""

# Flyte's domains in the order in which the console shows them.
_DOMAINS: tuple[Domain, ...] = ("development", "staging", "production")

# Applied in the order of their names. flyteadmin replaces `{{ name }}`, with exactly one space on either side; Helm
# leaves these texts alone. We replace `$name`.
_TEMPLATES = Path(__file__).parent / "project_templates"

# What is nowhere on the internet (RFC 1918, 6598 and 3927): the VPC and whatever is peered with it, the Services of the
# cluster, and what a node finds at link-local addresses, its instance's metadata among them.
_PRIVATE_RANGES = ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")


def initial_projects(environment: Environment) -> list[Value]:
    """The projects that flyteadmin makes at its start."""
    return [project.name for project in environment.projects]


def domains(environment: Environment) -> list[Value]:
    """The domains that Flyte has: those that some project uses. Flyte gives every project every domain."""
    return [{"id": domain, "name": domain} for domain in _used_domains(environment)]


def cluster_resource_templates(
    environment: Environment, project_role_arn: str, *, endpoint_ranges: Sequence[str]
) -> list[Value]:
    """The objects that each project gets in each domain, with those that the plugins of the environment need.

    Args:
        environment: What the team decided.
        project_role_arn: The ARN of a project's role, with ``{project}`` and ``{domain}`` in it.
        endpoint_ranges: The ranges of the subnets in which AWS's services have addresses in the VPC. Empty: in none.
    """
    ours = {
        "role_arn": role_of(project_role_arn, "{{ project }}", "{{ domain }}"),
        "asks_kubernetes": json.dumps(bool({"spark", "ray"} & set(environment.flyte.plugins))),
        "default_cpu": TASK_DEFAULTS["cpu"],
        "default_memory": TASK_DEFAULTS["memory"],
        "name": POD_TEMPLATE,
        "mlflow_uri": MLFLOW_URI,
        "mlflow_token_folder": MLFLOW_TOKEN_FOLDER,
        "aws": json.dumps(_aws(endpoint_ranges)),
    }
    return [
        *(
            {"key": file.stem, "value": Template(file.read_text(encoding="utf-8")).substitute(ours)}
            for file in sorted(_TEMPLATES.glob("*.yaml"))
        ),
        *flyte_plugins.project_templates(environment),
    ]


def values_by_domain(environment: Environment) -> list[Value]:
    """The templates' values by domain: the most that some project of the domain has, in the form that Flyte wants."""
    return [
        {
            domain: [
                {name: {"value": value}}
                for name, value in template_values(environment, environment.largest_quota(domain)).items()
            ]
        }
        for domain in _used_domains(environment)
    ]


def template_values(environment: Environment, quota: Quota) -> dict[str, str]:
    """The templates' values for one quota: those that flyteadmin knows by domain, and by project in a domain.

    Args:
        environment: What the team decided.
        quota: What the project has in the domain.
    """
    most = pod_limits(environment, quota)
    return {
        "projectQuotaCpu": str(quota.cpu),
        "projectQuotaMemory": f"{quota.memory_gib}Gi",
        "projectQuotaGpu": str(quota.gpu),
        "containerMaxCpu": str(most.cpu),
        "containerMaxMemory": f"{most.memory_gib}Gi",
    }


def team_namespaces(environment: Environment) -> dict[str, Value]:
    """Values of ``charts/aerodrome-projects``: every namespace that Flyte makes, with the quota of the team there.

    Flyte gives every project every domain that it knows. Where the environment gives the project none, it has no quota,
    and the chart lets no pod in.
    """
    return {
        "namespaces": {
            f"{project.name}-{domain}": {
                "project": project.name,
                "domain": domain,
                "owner": project.owner,
                **({"quota": _quota(quota)} if (quota := project.domains.get(domain)) else {}),
            }
            for project in environment.projects
            for domain in _used_domains(environment)
        }
    }


def task_limits(environment: Environment) -> dict[str, Value]:
    """The most that one task may ask for, where its project has no limits of its own yet.

    A task that asks for more is refused when it is registered. With the chart's defaults, 2 CPUs and 1 GiB, that is
    most tasks there are.
    """
    return amounts(registered_limits(environment))


def amounts(limits: TaskLimits) -> dict[str, Value]:
    """Limits as Flyte writes them."""
    return {"cpu": str(limits.cpu), "memory": f"{limits.memory_gib}Gi", "gpu": str(limits.gpu)}


def role_of(project_role_arn: str, project: str, domain: str) -> str:
    """The ARN of a project's role in a domain.

    Args:
        project_role_arn: The ARN of any, with ``{project}`` and ``{domain}`` in it.
        project: The project.
        domain: The domain.
    """
    return project_role_arn.replace("{project}", project).replace("{domain}", domain)


def _aws(endpoint_ranges: Sequence[str]) -> list[Value]:
    outside: Value = {"ipBlock": {"cidr": "0.0.0.0/0", "except": list(_PRIVATE_RANGES)}}
    # Where the VPC has endpoints of AWS's services, their names lead to addresses in these subnets, which are not known
    # one by one before.
    return [outside, *({"ipBlock": {"cidr": cidr}} for cidr in endpoint_ranges)]


def _quota(quota: Quota) -> dict[str, Value]:
    return {"cpu": str(quota.cpu), "memory": f"{quota.memory_gib}Gi", "gpu": str(quota.gpu)}


def _used_domains(environment: Environment) -> list[Domain]:
    used = environment.used_domains
    return [domain for domain in _DOMAINS if domain in used]
