"""Values of ``charts/flyte-core``."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import reduce

from aerodrome_constructs.cluster.scheduling import GPU_TAINT, INTERRUPTIBLE_LABEL, INTERRUPTIBLE_TAINT, TASK_TAINT
from aerodrome_constructs.helm import Value, merge_values
from aerodrome_stacks.chart_values import (
    flyte_batch,
    flyte_connectors,
    flyte_logs,
    flyte_notifications,
    flyte_plugins,
    flyte_projects,
)
from aerodrome_stacks.chart_values.flyte_components import components, restarted_on_change_of
from aerodrome_stacks.chart_values.flyte_resource_limits import resource_limits
from aerodrome_stacks.chart_values.flyte_rights import rights
from aerodrome_stacks.chart_values.flyte_sign_on import AUTH_SECRET, OIDC_SECRET, sign_on
from aerodrome_stacks.chart_values.front_door import host, load_balancer_annotations
from aerodrome_stacks.chart_values.service_account import role_annotation
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.front_door_stack import FrontDoorPorts
from aerodrome_stacks.notifications_stack import NotificationsPorts
from aerodrome_stacks.sign_on import SignOnPorts

DATABASE_SECRET = "flyte-database"  # noqa: S105 - a name
"""The Secret with the passwords of database users and the certificate authorities. The chart mounts it at ``/etc/db``
into each container that connects: flyteadmin, datacatalog, the scheduler, syncresources and their init containers."""

CA_FILE = "ca.pem"
"""The key of that Secret, and so the file, with the certificate authorities of the database."""

PASSWORD_FILES = {"flyteadmin": "pass.txt", "datacatalog": "datacatalog.txt"}
"""The keys of that Secret with passwords, by database client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlyteDatabase:
    """How one of Flyte's components reaches its database.

    Attributes:
        host: The database server's name.
        port: Its port.
        database: The database's name.
        username: The user's name.
    """

    host: str
    port: int
    database: str
    username: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlyteInputs:
    """What Flyte's values take from other stacks.

    Attributes:
        admin_database: The database of flyteadmin and its scheduler.
        datacatalog_database: The database of datacatalog.
        metadata_bucket: The bucket of Flyte's own records.
        raw_data_bucket: The bucket of what tasks hand to each other.
        flyteadmin_role_arn: The role of flyteadmin.
        datacatalog_role_arn: The role of datacatalog.
        flytepropeller_role_arn: The role of flytepropeller.
        project_role_arn: The role of a project, with ``{project}`` and ``{domain}`` in it.
        batch_queues: The names of the queues of AWS Batch, among them those of tasks of type ``aws-batch``.
        endpoint_ranges: The ranges in which AWS's services have addresses in the VPC, which projects' pods call.
        sign_on: The issuer of tokens, and Flyte's clients there.
        front_door: The certificate and the web ACL of the load balancer.
        notifications: Where flyteadmin tells of executions; ``None`` where it tells nobody.
    """

    admin_database: FlyteDatabase
    datacatalog_database: FlyteDatabase
    metadata_bucket: str
    raw_data_bucket: str
    flyteadmin_role_arn: str
    datacatalog_role_arn: str
    flytepropeller_role_arn: str
    project_role_arn: str
    batch_queues: Collection[str]
    endpoint_ranges: Sequence[str]
    sign_on: SignOnPorts
    front_door: FrontDoorPorts
    notifications: NotificationsPorts | None


def flyte(environment: Environment, inputs: FlyteInputs) -> dict[str, Value]:
    """Values that depend on other stacks and on the environment."""
    parts = (
        components(environment),
        rights(environment),
        sign_on(_url(environment), inputs.sign_on),
        resource_limits(environment.flyte.resource_limits),
        flyte_plugins.plugins(environment),
        flyte_connectors.plugin(environment),
        flyte_notifications.notifications(environment, inputs.notifications),
        _identities(inputs),
        _restarts(),
        _records(environment, inputs),
        _front_door(environment, inputs),
        _tasks(environment, inputs),
        _projects(environment, inputs),
    )
    values: dict[str, Value] = {}
    return reduce(merge_values, parts, values)


def _url(environment: Environment) -> str:
    return f"https://{host(environment, 'flyte')}"


def _identities(inputs: FlyteInputs) -> dict[str, Value]:
    roles = {
        "flyteadmin": inputs.flyteadmin_role_arn,
        "datacatalog": inputs.datacatalog_role_arn,
        "flytepropeller": inputs.flytepropeller_role_arn,
    }
    return {component: {"serviceAccount": {"annotations": role_annotation(role)}} for component, role in roles.items()}


def _restarts() -> dict[str, Value]:
    return {
        "flyteadmin": restarted_on_change_of([DATABASE_SECRET, OIDC_SECRET]),
        "flytescheduler": restarted_on_change_of([DATABASE_SECRET, AUTH_SECRET]),
        "datacatalog": restarted_on_change_of([DATABASE_SECRET]),
        "flytepropeller": restarted_on_change_of([AUTH_SECRET]),
        "cluster_resource_manager": restarted_on_change_of([DATABASE_SECRET]),
    }


def _records(environment: Environment, inputs: FlyteInputs) -> dict[str, Value]:
    load = environment.flyte.bears
    return {
        "common": {"databaseSecret": {"name": DATABASE_SECRET}},
        "db": {
            "admin": {"database": _database(inputs.admin_database, "flyteadmin", load.flyteadmin_connections)},
            "datacatalog": {
                "database": _database(inputs.datacatalog_database, "datacatalog", load.datacatalog_connections)
            },
        },
        "storage": {"bucketName": inputs.metadata_bucket, "s3": {"region": environment.region}},
        "configmap": {
            "core": {"propeller": {"rawoutput-prefix": f"s3://{inputs.raw_data_bucket}/"}},
            "remoteData": {"remoteData": {"region": environment.region}},
        },
    }


def _database(database: FlyteDatabase, client: str, connections: int) -> dict[str, Value]:
    return {
        # For one pod. How many the database can bear is a rule of the environment, with the same numbers.
        "maxOpenConnections": connections,
        "postgres": {
            "host": database.host,
            "port": database.port,
            "dbname": database.database,
            "username": database.username,
            "passwordPath": f"/etc/db/{PASSWORD_FILES[client]}",
            # Flyte's default is sslmode=disable, which RDS refuses. `require` would encrypt to whoever answers.
            "options": f"sslmode=verify-full sslrootcert=/etc/db/{CA_FILE}",
        },
    }


def _front_door(environment: Environment, inputs: FlyteInputs) -> dict[str, Value]:
    return {
        "common": {
            "ingress": {
                "host": host(environment, "flyte"),
                "annotations": dict(load_balancer_annotations(environment, inputs.front_door)),
            }
        },
        "configmap": {"adminServer": {"flyteadmin": {"consoleUrl": f"{_url(environment)}/console"}}},
    }


def _tasks(environment: Environment, inputs: FlyteInputs) -> dict[str, Value]:
    return {
        "configmap": {
            "adminServer": {"queues": flyte_batch.queues(environment, inputs.batch_queues)},
            "k8s": {"plugins": {"aws": flyte_batch.plugin(environment), "k8s": _scheduling()}},
            "task_logs": flyte_logs.task_logs(environment),
            "task_resource_defaults": {"task_resources": {"limits": flyte_projects.task_limits(environment)}},
        }
    }


def _projects(environment: Environment, inputs: FlyteInputs) -> dict[str, Value]:
    return {
        "flyteadmin": {"initialProjects": flyte_projects.initial_projects(environment)},
        "configmap": {"domain": {"domains": flyte_projects.domains(environment)}},
        "cluster_resource_manager": {
            "templates": flyte_projects.cluster_resource_templates(
                environment, inputs.project_role_arn, endpoint_ranges=inputs.endpoint_ranges
            ),
            "config": {"cluster_resources": {"customData": flyte_projects.values_by_domain(environment)}},
        },
    }


def _scheduling() -> dict[str, Value]:
    return {
        # In each project's namespace: flyte_projects.py.
        "default-pod-template-name": flyte_projects.POD_TEMPLATE,
        "default-tolerations": [dict(TASK_TAINT.toleration)],
        "interruptible-tolerations": [dict(INTERRUPTIBLE_TAINT.toleration)],
        "interruptible-node-selector-requirement": _requirement("In"),
        "non-interruptible-node-selector-requirement": _requirement("NotIn"),
        # A task that asks for the resource tolerates its nodes.
        "resource-tolerations": {GPU_TAINT.key: [dict(GPU_TAINT.toleration)]},
    }


def _requirement(operator: str) -> dict[str, Value]:
    return {"key": INTERRUPTIBLE_LABEL.key, "operator": operator, "values": [INTERRUPTIBLE_LABEL.value]}
