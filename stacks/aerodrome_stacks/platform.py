"""The platform: which stacks there are, and what each gets from the others."""

from constructs import Construct

from aerodrome_stacks.addons_stack import AddonsStack
from aerodrome_stacks.alarms_stack import AlarmsStack
from aerodrome_stacks.alerts_stack import AlertsStack
from aerodrome_stacks.backup_stack import BackupCopyStack, BackupStack
from aerodrome_stacks.batch_queues import domains
from aerodrome_stacks.batch_stack import BatchStack
from aerodrome_stacks.cluster_stack import ClusterStack
from aerodrome_stacks.costs_stack import CostsStack
from aerodrome_stacks.database_stack import DatabaseStack
from aerodrome_stacks.emergency_stack import EmergencyStack
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.file_systems_stack import FileSystemsStack, has_file_systems
from aerodrome_stacks.flyte_jobs_stack import FlyteJobsStack
from aerodrome_stacks.front_door_stack import FrontDoorStack
from aerodrome_stacks.identity_stack import IdentityStack
from aerodrome_stacks.images_stack import ImagesStack
from aerodrome_stacks.ingest_stack import IngestStack
from aerodrome_stacks.job_monitoring_stack import JobMonitoringStack
from aerodrome_stacks.jobs_stack import JobsPorts, JobsStack
from aerodrome_stacks.keys_stack import KeysStack
from aerodrome_stacks.kubernetes_logs_stack import KubernetesLogsStack
from aerodrome_stacks.network_stack import NetworkStack
from aerodrome_stacks.notifications_stack import NotificationsStack, has_notifications
from aerodrome_stacks.observability_stack import ObservabilityStack
from aerodrome_stacks.orchestrator_stack import OrchestratorStack
from aerodrome_stacks.sign_on import SignOnPorts
from aerodrome_stacks.sign_on_stack import SignOnStack
from aerodrome_stacks.storage_stack import StorageStack
from aerodrome_stacks.tracking_stack import TrackingStack


def build_platform(scope: Construct, environment: Environment) -> None:
    """Make every stack of one environment.

    Args:
        scope: The app.
        environment: What the team decided.
    """
    # AWS: what stands without Kubernetes.
    keys = KeysStack(scope, "Keys", environment=environment).ports
    alerts = AlertsStack(scope, "Alerts", environment=environment, alerts_key=keys.alerts).ports
    AlarmsStack(scope, "Alarms", environment=environment, alerts=alerts, keys=keys)
    CostsStack(scope, "Costs", environment=environment, alerts=alerts)
    network = NetworkStack(scope, "Network", environment=environment, log_key=keys.logs).ports
    storage = StorageStack(scope, "Storage", environment=environment, data_key=keys.data).ports
    database = DatabaseStack(scope, "Database", environment=environment, network=network, keys=keys).ports
    front_door = FrontDoorStack(
        scope, "FrontDoor", environment=environment, access_logs=storage.access_logs, log_key=keys.logs, alerts=alerts
    ).ports
    oidc = environment.access.oidc
    sign_on = (
        SignOnStack(scope, "SignOn", environment=environment, network=network, keys=keys).ports
        if oidc is None
        else SignOnPorts.of_company(oidc)
    )
    copy_region = environment.backup.copy_region
    copy = BackupCopyStack(scope, "BackupCopy", environment=environment, region=copy_region) if copy_region else None
    backup = BackupStack(
        scope,
        "Backup",
        environment=environment,
        keys=keys,
        database_arn=database.instance_arn,
        buckets=[storage.metadata, storage.mlflow_artifacts, storage.batch_output],
        alerts=alerts,
        copy=copy,
    ).ports
    file_systems = None
    if has_file_systems(environment):
        file_systems = FileSystemsStack(
            scope, "FileSystems", environment=environment, network=network, keys=keys, backup=backup
        ).ports
    batch = BatchStack(
        scope, "Batch", environment=environment, network=network, log_key=keys.logs, file_systems=file_systems
    )
    cluster = ClusterStack(
        scope, "Cluster", environment=environment, network=network, secrets_key=keys.cluster, log_key=keys.logs
    ).ports
    notifications = None
    if has_notifications(environment):
        notifications = NotificationsStack(
            scope, "Notifications", environment=environment, alerts=alerts, alerts_key=keys.alerts
        ).ports
    kubernetes_logs = KubernetesLogsStack(scope, "KubernetesLogs", environment=environment, log_key=keys.logs)
    identity_stack = IdentityStack(
        scope,
        "Identity",
        environment=environment,
        cluster=cluster,
        storage=storage,
        alerts=alerts,
        alerts_key=keys.alerts,
        secrets_key=keys.secrets,
        efs=file_systems.efs if file_systems else None,
        notifications=notifications,
    )
    identity = identity_stack.ports
    jobs = [
        JobsStack(
            scope,
            f"Jobs{domain.capitalize()}",
            environment=environment,
            domain=domain,
            identity=identity,
            storage=storage,
            file_systems=file_systems,
            log_key=keys.logs,
            secrets_key=keys.secrets,
            after=identity_stack,
        )
        for domain in domains(environment)
    ]
    flyte_jobs = (
        [
            FlyteJobsStack(
                scope,
                "FlyteJobs",
                environment=environment,
                secrets_key=keys.secrets,
                after=[identity_stack, *jobs],
            )
        ]
        if environment.flyte.batch_connector
        else []
    )
    IngestStack(
        scope,
        "Ingest",
        environment=environment,
        jobs=JobsPorts.of_all([stack.ports for stack in jobs]),
        storage=storage,
        network=network,
        log_key=keys.logs,
        # Rules submit to queues and job definitions whose names are chosen: nothing else says so.
        after=[batch, *jobs],
    )
    JobMonitoringStack(
        scope,
        "JobMonitoring",
        environment=environment,
        network=network,
        batch=batch.ports,
        alerts=alerts,
        log_key=keys.logs,
        # It knows the queues by name, too, and complains where there are none.
        after=batch,
    )
    if environment.access.break_glass:
        EmergencyStack(scope, "Emergency", environment=environment, cluster=cluster, alerts=alerts)
    # Kubernetes: what is installed in the cluster, the controllers that the others need first.
    addons = AddonsStack(scope, "Addons", environment=environment, cluster=cluster, identity=identity, network=network)
    if environment.images != "upstream":
        # Its repositories have chosen names: nothing else says that releases pull from them.
        addons.add_stack_dependency(ImagesStack(scope, "Images", environment=environment))
    observability = ObservabilityStack(
        scope,
        "Observability",
        environment=environment,
        cluster=cluster,
        identity=identity,
        alerts=alerts,
        sign_on=sign_on,
        front_door=front_door,
        notifications=notifications,
        secrets_key=keys.secrets,
        # Fluent Bit knows its log groups by name.
        after=[addons, kubernetes_logs],
    )
    OrchestratorStack(
        scope,
        "Orchestrator",
        environment=environment,
        cluster=cluster,
        identity=identity,
        storage=storage,
        database=database,
        batch=batch.ports,
        network=network,
        sign_on=sign_on,
        front_door=front_door,
        notifications=notifications,
        efs=file_systems.efs if file_systems else None,
        # Queues and roles of jobs have names that are chosen, not generated: nothing but this says that Flyte needs
        # them.
        after=[addons, observability, batch, *flyte_jobs],
    )
    TrackingStack(
        scope,
        "Tracking",
        environment=environment,
        cluster=cluster,
        identity=identity,
        network=network,
        database=database,
        artifacts=storage.mlflow_artifacts,
        secrets_key=keys.secrets,
        sign_on=sign_on,
        front_door=front_door,
        after=[addons, observability],
    )
