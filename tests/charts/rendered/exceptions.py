"""Workloads that cannot keep a rule, each with the reason."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML


@dataclass(frozen=True, order=True)
class Breach:
    """A rule that a workload breaks.

    Attributes:
        release: The release of the workload.
        workload: Its kind and name.
        rule: The rule.
    """

    release: str
    workload: str
    rule: str


def exceptions() -> dict[Breach, str]:
    """The breaches that are known, each with its reason."""
    return dict(_read())


def _read() -> Iterator[tuple[Breach, str]]:
    for entry in YAML(typ="safe").load(Path(__file__).with_suffix(".yaml")):
        for workload in entry["workloads"]:
            for rule in entry["rules"]:
                yield Breach(entry["release"], workload, rule), entry["reason"]
