"""What flyteadmin makes for one project in one domain."""

from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML

from tests.charts.deployed import DeployedRelease


def project_objects(flyte: DeployedRelease, project: str, domain: str) -> list[dict[str, Any]]:
    """What flyteadmin applies for one project and domain: its substitution, with one space on either side of a name."""
    values = {"namespace": f"{project}-{domain}", "project": project, "domain": domain, **domain_values(flyte, domain)}
    objects = []
    for template in flyte.value("cluster_resource_manager", "templates"):
        text = template["value"]
        for name, value in values.items():
            text = text.replace(f"{{{{ {name} }}}}", value)
        assert "{{" not in text
        objects.append(dict(YAML(typ="safe").load(text)))
    return objects


def project_object(flyte: DeployedRelease, project: str, domain: str, kind: str, name: str) -> dict[str, Any]:
    """One of these objects."""
    (found,) = [
        one for one in project_objects(flyte, project, domain) if (one["kind"], one["metadata"]["name"]) == (kind, name)
    ]
    return found


def domain_values(flyte: DeployedRelease, domain: str) -> Mapping[str, str]:
    """What flyteadmin fills in where it knows nothing of the project; of any domain, where it has not this one."""
    by_domain = {
        known: {name: value["value"] for variable in variables for name, value in variable.items()}
        for entry in flyte.value("cluster_resource_manager", "config", "cluster_resources", "customData")
        for known, variables in entry.items()
    }
    return by_domain.get(domain) or next(iter(by_domain.values()))
