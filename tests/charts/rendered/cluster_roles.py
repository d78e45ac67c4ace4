"""Rights in the Kubernetes API that a review has to have seen: everything of something, and secrets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.charts.helm import Manifest


@dataclass(frozen=True, order=True)
class Right:
    """A role with such rights.

    Attributes:
        release: The release that it is part of.
        role: Its kind and name.
        reach: ``everything`` where a rule says ``*``, ``secrets`` where one reaches Secrets by their kind.
    """

    release: str
    role: str
    reach: str


def reviewed() -> dict[Right, str]:
    """The roles that are known, each with its reason."""
    return dict(_read())


def reaches(rule: Mapping[str, Any]) -> set[str]:
    """What a rule lets do that a review has to have seen.

    A rule for Secrets that are named is none: who wrote the name has seen it.
    """
    groups, resources = rule.get("apiGroups") or [], rule.get("resources") or []
    found = {"everything"} if "*" in {*groups, *resources, *rule["verbs"]} else set()
    core = bool({"", "*"} & set(groups))
    if core and {"secrets", "*"} & set(resources) and not rule.get("resourceNames"):
        found.add("secrets")
    return found


def rights(release: str, manifest: Manifest) -> Iterator[Right]:
    """What a role lets do that a review has to have seen."""
    role = f"{manifest['kind']}/{manifest['metadata']['name']}"
    for reach in sorted({reach for rule in manifest.get("rules") or [] for reach in reaches(rule)}):
        yield Right(release, role, reach)


def _read() -> Iterator[tuple[Right, str]]:
    for entry in YAML(typ="safe").load(Path(__file__).with_suffix(".yaml")):
        for role in entry["roles"]:
            for reach in entry["reaches"]:
                yield Right(entry["release"], role, reach), entry["reason"]
