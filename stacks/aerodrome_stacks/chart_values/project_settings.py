"""Values of ``charts/aerodrome-projects``: what a job in the cluster tells flyteadmin of projects, again and again.

What flyteadmin keeps of a project in a domain lies in its database, out of Helm's reach, as messages of flyteidl
(``admin/matchable_resource.proto``, v1.16.8). They are written here as flyteadmin takes them; the program
(``reconciler_handler/program.py``) compares and puts.
"""

import re
from pathlib import Path

from aerodrome_constructs.helm import Value
from aerodrome_stacks.batch_queues import Kind
from aerodrome_stacks.chart_values import flyte_plugins
from aerodrome_stacks.chart_values.flyte_batch import queue_tag
from aerodrome_stacks.chart_values.flyte_projects import TASK_DEFAULTS, amounts, role_of, template_values
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.domain_types import Domain
from aerodrome_stacks.environment.model import Project
from aerodrome_stacks.names import own_prefix
from aerodrome_stacks.sign_on import SignOnPorts
from aerodrome_stacks.task_limits import registered_limits

_PROGRAM = Path(__file__).parent / "reconciler_handler" / "program.py"

OWNER_LABEL = "aerodrome.io/owner"
"""The label of a project in Flyte, and so of the pods of its executions, that says who answers for it."""

_LONGEST_LABEL = 63  # of Kubernetes, to whose rules flyteadmin holds labels

# What a domain's quota is for a project that does not have the domain here, or is not here at all.
_CLOSED: dict[str, Value] = {
    "cluster_resource_attributes": {
        "attributes": {"projectQuotaCpu": "0", "projectQuotaMemory": "0", "projectQuotaGpu": "0"}
    }
}


def reconciler(
    environment: Environment,
    *,
    raw_data_bucket: str,
    project_role_arn: str,
    sign_on: SignOnPorts,
    client_secret: tuple[str, str],
) -> dict[str, Value]:
    """The job's program and what it sets.

    flytepropeller appends ``/<two characters>/<execution>-<node>-<attempt>`` to a prefix, so that all that a project
    writes in a domain lies below one path, at which its role ends. Its AWS Batch plugin hands the role to jobs.

    Args:
        environment: The environment.
        raw_data_bucket: The bucket of what tasks hand to each other.
        project_role_arn: The ARN of a project's role, with ``{project}`` and ``{domain}`` in it.
        sign_on: Where the job gets a token, as the client of Flyte's own components.
        client_secret: The Kubernetes secret, and the key in it, with that client's secret.
    """
    secret, key = client_secret
    return {
        "reconciler": {
            "program": _PROGRAM.read_text(encoding="utf-8"),
            "projects": [
                {
                    "id": project.name,
                    "name": project.name,
                    "description": f"{project.owner} answers for it",
                    "labels": {"values": {OWNER_LABEL: owner_label(project.owner)}},
                    "domains": {
                        domain: _attributes(
                            environment,
                            project,
                            domain,
                            prefix=f"s3://{raw_data_bucket}/{own_prefix(project.name, domain)}",
                            role=role_of(project_role_arn, project.name, domain),
                        )
                        for domain in project.domains
                    },
                }
                for project in environment.projects
            ],
            "closed": _CLOSED,
            "signOn": {
                "tokenUrl": sign_on.token_url,
                "clientId": sign_on.service_client_id,
                "scopes": list(sign_on.scopes),
                "secret": secret,
                "key": key,
            },
        }
    }


def owner_label(owner: str) -> str:
    """An email address as the value of a label, which has no ``@`` and ends in letters or digits."""
    text = re.sub(r"[^A-Za-z0-9._-]", "_", owner.replace("@", "_at_"))
    return text.strip("._-")[:_LONGEST_LABEL].rstrip("._-")


def _attributes(
    environment: Environment, project: Project, domain: Domain, *, prefix: str, role: str
) -> dict[str, Value]:
    quota = project.domains[domain]
    return {
        "cluster_resource_attributes": {"attributes": dict(template_values(environment, quota))},
        "execution_queue_attributes": {"tags": [queue_tag(domain, Kind(quota.queue))]},
        # flyteadmin takes both from here, and from its own configuration neither.
        "task_resource_attributes": {
            "defaults": dict(TASK_DEFAULTS),
            "limits": amounts(registered_limits(environment, quota)),
        },
        "workflow_execution_config": {
            # 0 leaves it to the platform's own.
            "max_parallelism": quota.max_parallelism or 0,
            "raw_output_data_config": {"output_location_prefix": prefix},
            # The role is what jobs on AWS Batch take, which get none otherwise; a pod has that of its service account.
            "security_context": {
                "run_as": {"iam_role": role, "k8s_service_account": flyte_plugins.SERVICE_ACCOUNT},
            },
        },
    }
