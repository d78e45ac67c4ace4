"""Values of ``charts/flyte-core``."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from aerodrome_constructs.cluster.scheduling import GPU_TAINT, INTERRUPTIBLE_LABEL, INTERRUPTIBLE_TAINT, TASK_TAINT
from aerodrome_constructs.helm import Value
from aerodrome_stacks.chart_values import flyte_batch, flyte_projects
from aerodrome_stacks.chart_values.front_door import host, load_balancer_annotations
from aerodrome_stacks.chart_values.service_account import role_annotation
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.connections import FLYTEADMIN_LEAST, datacatalog

DATABASE_SECRET = "flyte-database"  # noqa: S105 - a name
"""The Secret with the passwords of database users and the certificate authorities. The chart mounts it at ``/etc/db``
into each container that connects: flyteadmin, datacatalog, the scheduler, syncresources and their init containers."""

CA_FILE = "ca.pem"
"""The key of that Secret, and so the file, with the certificate authorities of the database."""

PASSWORD_FILES = {"flyteadmin": "pass.txt", "datacatalog": "datacatalog.txt"}
"""The keys of that Secret with passwords, by database client."""

AUTH_SECRET = "flyte-secret-auth"  # noqa: S105 - the name of a Secret, which the chart's templates fix
"""The Secret with the client secret of Flyte's own components, under the key ``client_secret``."""

_OIDC_DIRECTORY = "/etc/oidc"

# The password is read when the process starts. Reloader starts the pods of a Deployment with this annotation anew when
# the Secret has changed.
_RELOADED: dict[str, Value] = {"annotations": {"secret.reloader.stakater.com/reload": DATABASE_SECRET}}


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
        database_ranges: The ranges of the database's subnets, to which projects' pods open nothing.
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
    database_ranges: Sequence[str]


def flyte(environment: Environment, inputs: FlyteInputs) -> dict[str, Value]:
    """Values that depend on other stacks and on the environment."""
    load = environment.flyte.bears
    return {
        "flyteadmin": {
            **_RELOADED,
            "replicaCount": FLYTEADMIN_LEAST,
            "initialProjects": flyte_projects.initial_projects(environment),
            "serviceAccount": {"annotations": role_annotation(inputs.flyteadmin_role_arn)},
            **_oidc_client_secret(environment),
        },
        "flytescheduler": _RELOADED,
        "datacatalog": {
            **_RELOADED,
            "replicaCount": datacatalog(environment.flyte.bears).replicas,
            "serviceAccount": {"annotations": role_annotation(inputs.datacatalog_role_arn)},
        },
        "flytepropeller": {"serviceAccount": {"annotations": role_annotation(inputs.flytepropeller_role_arn)}},
        "secrets": {"adminOauthClientCredentials": _client_credentials(environment)},
        "common": {
            "databaseSecret": {"name": DATABASE_SECRET},
            "ingress": {
                "host": host(environment, "flyte"),
                "annotations": dict(load_balancer_annotations(environment)),
            },
        },
        "storage": {"bucketName": inputs.metadata_bucket, "s3": {"region": environment.region}},
        "db": {
            "admin": {"database": _database(inputs.admin_database, "flyteadmin", load.flyteadmin_connections)},
            "datacatalog": {
                "database": _database(inputs.datacatalog_database, "datacatalog", load.datacatalog_connections)
            },
        },
        "configmap": {
            "adminServer": _admin_server(environment, inputs),
            "domain": {"domains": flyte_projects.domains(environment)},
            "core": {"propeller": {"rawoutput-prefix": f"s3://{inputs.raw_data_bucket}/"}},
            "k8s": {
                "plugins": {"aws": flyte_batch.plugin(environment), "k8s": _scheduling()},
            },
            "remoteData": {"remoteData": {"region": environment.region}},
            "task_resource_defaults": {"task_resources": {"limits": flyte_projects.task_limits(environment)}},
        },
        "cluster_resource_manager": {
            **_RELOADED,
            "templates": flyte_projects.cluster_resource_templates(
                inputs.project_role_arn, database_ranges=inputs.database_ranges
            ),
            "config": {"cluster_resources": {"customData": flyte_projects.quotas_by_domain(environment)}},
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


def _admin_server(environment: Environment, inputs: FlyteInputs) -> dict[str, Value]:
    url = f"https://{host(environment, 'flyte')}"
    return {
        "flyteadmin": {"consoleUrl": f"{url}/console"},
        "server": {
            "security": {
                # Without an identity provider there is no sign-on, and the load balancer, which is internal, is all
                # that stands before the API.
                "useAuth": environment.access.oidc is not None,
                "allowedOrigins": [url],
            }
        },
        "auth": _auth(environment, url),
        "queues": flyte_batch.queues(environment, inputs.batch_queues),
    }


def _auth(environment: Environment, url: str) -> dict[str, Value]:
    authorized_uris: list[Value] = [url, "http://flyteadmin:80", "http://flyteadmin.flyte.svc.cluster.local:80"]
    oidc = environment.access.oidc
    if oidc is None:
        # The chart's defaults name Google's sample client.
        return {
            "authorizedUris": authorized_uris,
            "userAuth": {"openId": {"baseUrl": None, "clientId": None, "scopes": None}},
        }
    return {
        "authorizedUris": authorized_uris,
        "appAuth": {
            # The provider issues the tokens of programs, too. flyteadmin's own server ("Self") knows its clients by
            # hashes in a ConfigMap, of which the default is that of a published password.
            "authServerType": "External",
            "externalAuthServer": {"baseUrl": oidc.issuer},
            "thirdPartyConfig": {"flyteClient": {"clientId": oidc.client_id}},
        },
        "userAuth": {
            "openId": {
                "baseUrl": oidc.issuer,
                "clientId": oidc.client_id,
                # A file of our own: the chart's Secret flyte-admin-secrets would take the value itself.
                "clientSecretFile": f"{_OIDC_DIRECTORY}/client_secret",
                "scopes": ["openid", "profile", "email"],
            }
        },
    }


def _client_credentials(environment: Environment) -> dict[str, Value]:
    # Enabled, the chart mounts the Secret into flytepropeller and the scheduler, whose pods wait until it is there.
    oidc = environment.access.oidc
    if oidc is None:
        return {"enabled": False}
    return {"enabled": True, "clientId": oidc.client_id}


def _oidc_client_secret(environment: Environment) -> dict[str, Value]:
    if environment.access.oidc is None:
        return {}
    return {
        "additionalVolumes": [{"name": "oidc", "secret": {"secretName": AUTH_SECRET}}],
        "additionalVolumeMounts": [{"name": "oidc", "mountPath": _OIDC_DIRECTORY, "readOnly": True}],
    }


def _scheduling() -> dict[str, Value]:
    return {
        "default-tolerations": [dict(TASK_TAINT.toleration)],
        "interruptible-tolerations": [dict(INTERRUPTIBLE_TAINT.toleration)],
        "interruptible-node-selector-requirement": _requirement("In"),
        "non-interruptible-node-selector-requirement": _requirement("NotIn"),
        # A task that asks for the resource tolerates its nodes.
        "resource-tolerations": {GPU_TAINT.key: [dict(GPU_TAINT.toleration)]},
    }


def _requirement(operator: str) -> dict[str, Value]:
    return {"key": INTERRUPTIBLE_LABEL.key, "operator": operator, "values": [INTERRUPTIBLE_LABEL.value]}
