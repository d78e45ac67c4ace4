"""Values of ``charts/flyte-core`` about what flytepropeller may read in the Kubernetes API.

The chart's default is every verb but a few on every kind, secrets among them. What flytepropeller makes and changes is
in ``charts/aerodrome-flyte`` (``templates/rights.yaml``), for the namespaces of projects alone; what it watches it
watches in all namespaces at once, as its caches are built (``flytepropeller/pkg/controller``, v1.16.8).
"""

from collections.abc import Mapping

from aerodrome_constructs.helm import Value
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.flyte import Plugin

# What each plugin makes: `AddToScheme` in flyteplugins/go/tasks/plugins/k8s/{spark,ray,kfoperators/pytorch}.
_MADE: Mapping[Plugin, tuple[str, str]] = {
    "spark": ("sparkoperator.k8s.io", "sparkapplications"),
    "ray": ("ray.io", "rayjobs"),
    "pytorch": ("kubeflow.org", "pytorchjobs"),
}


def custom_resources(environment: Environment) -> list[Value]:
    """What the environment's plugins make beside pods, as ``charts/aerodrome-flyte`` takes it."""
    return [{"apiGroup": group, "resource": resource} for group, resource in _made(environment)]


def rights(environment: Environment) -> dict[str, Value]:
    """What flytepropeller may read, in all namespaces."""
    watched = [("", "pods"), ("", "podtemplates"), ("flyte.lyft.com", "flyteworkflows"), *_made(environment)]
    rules = [_rule(group, resource, "get", "list", "watch") for group, resource in watched]
    # Each of which it clears of executions that have ended.
    rules.append(_rule("", "namespaces", "list"))
    return {"flytepropeller": {"serviceAccount": {"rbacRules": rules}}}


def _made(environment: Environment) -> list[tuple[str, str]]:
    return [_MADE[name] for name in environment.flyte.plugins]


def _rule(group: str, resource: str, *verbs: str) -> Value:
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
