"""Whether flytepropeller finds the connectors that an environment has."""

from tests.charts.rendered.facts import MISSING, Platform

_PLUGIN = "flyte:configmap.k8s.plugins.connector-service"


def connectors_are_known(platform: Platform) -> bool:
    """Each connector has an endpoint that is a Service of its Deployment, and each of its types is known to Flyte."""
    flyte = platform.environment.flyte
    services = {
        f"dns:///{one['metadata']['name']}.{one['metadata']['namespace']}.svc.cluster.local:{port['port']}"
        for one in platform.cluster.of_kinds("Service")
        for port in one["spec"]["ports"]
        if one["metadata"].get("labels", {}).get("app.kubernetes.io/component") == "connector"
    }
    given = platform.at(f"{_PLUGIN}.connectors")
    types = platform.at(f"{_PLUGIN}.supportedTaskTypes")
    if not flyte.connector_images:
        return given == types == MISSING and not services
    return bool(
        given.keys() == flyte.connector_images.keys()
        and {one["endpoint"] for one in given.values()} == services
        and sorted(types) == sorted(flyte.connector_task_types)
    )
