"""What each of Flyte's projects has in each domain: namespace, service account with a role, network policy, quotas.

flyteadmin applies the templates below to every project in every domain. It fills in the project, the domain, and values
that it knows for a domain, but none for one project in one domain: those are kept in its database, out of Helm's reach
(``flytectl update cluster-resource-attribute``). Hence:

- A project's role is found by its name, which is made of project and domain.
- Where a project's tasks write what they hand to each other, and the role of those on AWS Batch, are kept there, too: a
  job of our chart (``charts/aerodrome-projects``) asks flyteadmin for them and puts what is missing.
- The quota that flyteadmin makes is the domain's ceiling, the largest that any of its projects has. A team's own quota
  stands beside it, made by a chart of ours (``charts/aerodrome-projects``): of two quotas, the smaller one decides.
- The network policy is flyteadmin's, too: a project that somebody registers by hand gets the same. flyteadmin's pods
  apply the templates in an init container, before they take an execution.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from aerodrome_constructs.helm import Value
from aerodrome_stacks.chart_values.service_account import ROLE_ARN
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.domain_types import Domain
from aerodrome_stacks.environment.model import Quota

# Flyte's domains in the order in which the console shows them.
_DOMAINS: tuple[Domain, ...] = ("development", "staging", "production")

_RAW_OUTPUT_PROGRAM = Path(__file__).parent / "raw_output_handler" / "program.py"

# Applied in the order of their names. flyteadmin replaces `{{ name }}`, with exactly one space on either side; Helm
# leaves these texts alone.
_NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata:
  name: {{ namespace }}
  labels:
    aerodrome.io/project: {{ project }}
    aerodrome.io/domain: {{ domain }}
    pod-security.kubernetes.io/enforce: baseline
    pod-security.kubernetes.io/warn: restricted
"""
_SERVICE_ACCOUNT = f"""\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: default
  namespace: {{{{ namespace }}}}
  annotations:
    {ROLE_ARN}: %(role_arn)s
"""
_QUOTA = """\
apiVersion: v1
kind: ResourceQuota
metadata:
  name: domain-ceiling
  namespace: {{ namespace }}
spec:
  hard:
    limits.cpu: "{{ projectQuotaCpu }}"
    limits.memory: {{ projectQuotaMemory }}
    requests.nvidia.com/gpu: "{{ projectQuotaGpu }}"
"""
# Who reaches a project's pods, and what they reach. The VPC CNI looks at a packet as it leaves the pod, before
# kube-proxy puts the address of a pod in place of a Service's. Both are in 0.0.0.0/0, and so are DNS, the Kubernetes
# API, Flyte, MLflow, AWS, and the agent of EKS Pod Identity (169.254.170.23).
_BOUNDARY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: project-boundary
  namespace: {{ namespace }}
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        - podSelector: {}
        - namespaceSelector:
            matchLabels: {"kubernetes.io/metadata.name": monitoring}
          podSelector:
            matchLabels: {"app.kubernetes.io/name": prometheus}
  egress:
    - to:
        - ipBlock:
            cidr: 0.0.0.0/0
            except: %(closed)s
"""

# The instance's metadata service, which hands out the role of the node. The hop limit of 1 keeps pods from it, too.
_INSTANCE_METADATA = "169.254.169.254/32"


def initial_projects(environment: Environment) -> list[Value]:
    """The projects that flyteadmin makes at its start."""
    return [project.name for project in environment.projects]


def domains(environment: Environment) -> list[Value]:
    """The domains that Flyte has: those that some project uses. Flyte gives every project every domain."""
    return [{"id": domain, "name": domain} for domain in _used_domains(environment)]


def cluster_resource_templates(project_role_arn: str, *, database_ranges: Sequence[str]) -> list[Value]:
    """The objects that each project gets in each domain.

    Args:
        project_role_arn: The ARN of a project's role, with ``{project}`` and ``{domain}`` in it.
        database_ranges: The ranges of the database's subnets, to which a project's pods open nothing.
    """
    role_arn = _role_of(project_role_arn, "{{ project }}", "{{ domain }}")
    return [
        {"key": "aa_namespace", "value": _NAMESPACE},
        {"key": "ab_default_service_account", "value": _SERVICE_ACCOUNT % {"role_arn": role_arn}},
        {"key": "ac_domain_ceiling", "value": _QUOTA},
        {
            "key": "ad_project_boundary",
            "value": _BOUNDARY % {"closed": json.dumps([*database_ranges, _INSTANCE_METADATA])},
        },
    ]


def quotas_by_domain(environment: Environment) -> list[Value]:
    """The templates' values by domain: the largest quota of the domain's projects, in the form that Flyte wants."""
    return [
        {
            domain: [
                {"projectQuotaCpu": {"value": quota["cpu"]}},
                {"projectQuotaMemory": {"value": quota["memory"]}},
                {"projectQuotaGpu": {"value": quota["gpu"]}},
            ]
        }
        for domain in _used_domains(environment)
        for quota in [_quota(environment.largest_quota(domain))]
    ]


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


def raw_output(
    environment: Environment, *, raw_data_bucket: str, project_role_arn: str, client_secret: tuple[str, str]
) -> dict[str, Value]:
    """Values of ``charts/aerodrome-projects``: where the tasks of each project and domain write, and as whom.

    flytepropeller appends ``/<two characters>/<execution>-<node>-<attempt>`` to a prefix, so that all that a project
    writes in a domain lies below one path, at which its role ends. Its AWS Batch plugin hands the role to jobs.

    Args:
        environment: The environment.
        raw_data_bucket: The bucket of what tasks hand to each other.
        project_role_arn: The ARN of a project's role, with ``{project}`` and ``{domain}`` in it.
        client_secret: The Kubernetes secret, and the key in it, with which the job signs on where there is sign-on.
    """
    secret, key = client_secret
    oidc = environment.access.oidc
    sign_on: dict[str, Value] = {} if oidc is None else {"clientId": oidc.client_id, "secret": secret, "key": key}
    return {
        "rawOutput": {
            "program": _RAW_OUTPUT_PROGRAM.read_text(encoding="utf-8"),
            "prefixes": [
                {
                    "project": project,
                    "domain": domain,
                    "prefix": f"s3://{raw_data_bucket}/{own_prefix(project, domain)}",
                    "role": _role_of(project_role_arn, project, domain),
                }
                for project, domain in environment.project_domains
            ],
            **({"signOn": sign_on} if sign_on else {}),
        }
    }


def own_prefix(project: str, domain: str) -> str:
    """Where a project's own objects lie in a bucket that projects share, without a slash at the end."""
    return f"{project}/{domain}"


def task_limits(environment: Environment) -> dict[str, Value]:
    """The most that one task may ask for: what the largest quota lets a project have.

    A task that asks for more is refused when it is registered. With the chart's defaults, 2 CPUs and 1 GiB, that is
    most tasks there are.
    """
    return _quota(environment.largest_quota())


def _role_of(project_role_arn: str, project: str, domain: str) -> str:
    return project_role_arn.replace("{project}", project).replace("{domain}", domain)


def _quota(quota: Quota) -> dict[str, Value]:
    return {"cpu": str(quota.cpu), "memory": f"{quota.memory_gib}Gi", "gpu": str(quota.gpu)}


def _used_domains(environment: Environment) -> list[Domain]:
    used = environment.used_domains
    return [domain for domain in _DOMAINS if domain in used]
