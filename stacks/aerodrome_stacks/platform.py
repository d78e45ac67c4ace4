"""The platform: which stacks there are, and what each gets from the others."""

from constructs import Construct

from aerodrome_stacks.addons_stack import AddonsStack
from aerodrome_stacks.batch_stack import BatchStack
from aerodrome_stacks.cluster_stack import ClusterStack
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.identity_stack import IdentityStack
from aerodrome_stacks.keys_stack import KeysStack
from aerodrome_stacks.network_stack import NetworkStack
from aerodrome_stacks.observability_stack import ObservabilityStack
from aerodrome_stacks.storage_stack import StorageStack


def build_platform(scope: Construct, environment: Environment) -> None:
    """Make every stack of one environment.

    Args:
        scope: The app.
        environment: What the team decided.
    """
    keys = KeysStack(scope, "Keys", environment=environment).ports
    network = NetworkStack(scope, "Network", environment=environment, log_key=keys.logs).ports
    storage = StorageStack(scope, "Storage", environment=environment, data_key=keys.data).ports
    batch = BatchStack(
        scope, "Batch", environment=environment, network=network, storage=storage, log_key=keys.logs
    ).ports
    cluster = ClusterStack(scope, "Cluster", environment=environment, network=network, secrets_key=keys.cluster).ports
    identity = IdentityStack(
        scope, "Identity", environment=environment, cluster=cluster, storage=storage, secrets_key=keys.secrets
    ).ports
    addons = AddonsStack(
        scope, "Addons", environment=environment, cluster=cluster, identity=identity, network=network
    )
    observability = ObservabilityStack(
        scope,
        "Observability",
        environment=environment,
        cluster=cluster,
        identity=identity,
        secrets_key=keys.secrets,
        after=[addons],
    )
