"""The host names of an environment: what people and programs outside of the cluster reach."""

from aerodrome_stacks.environment import Environment

SERVICES = ("flyte", "mlflow", "grafana")
"""What is reached from outside of the cluster, each under its own name in the environment's domain."""


def host(environment: Environment, service: str) -> str:
    """The name under which people reach a service, such as ``flyte.ml.example.com``."""
    return f"{service}.{environment.access.domain_name}"


def hosts(environment: Environment) -> list[str]:
    """The names of all services."""
    return [host(environment, service) for service in SERVICES]
