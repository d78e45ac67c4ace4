"""What flyteadmin makes for one project in one domain."""

from typing import Any

from ruamel.yaml import YAML

from tests.charts.deployed import DeployedRelease


def project_objects(flyte: DeployedRelease, project: str, domain: str) -> list[dict[str, Any]]:
    """What flyteadmin applies for one project and domain: its substitution, with one space on either side of a name."""
    values = {
        "namespace": f"{project}-{domain}",
        "project": project,
        "domain": domain,
        "projectQuotaCpu": "32",
        "projectQuotaMemory": "128Gi",
        "projectQuotaGpu": "0",
    }
    objects = []
    for template in flyte.value("cluster_resource_manager", "templates"):
        text = template["value"]
        for name, value in values.items():
            text = text.replace(f"{{{{ {name} }}}}", value)
        assert "{{" not in text
        objects.append(dict(YAML(typ="safe").load(text)))
    return objects
