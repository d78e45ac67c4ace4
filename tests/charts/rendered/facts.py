"""A fact about Flyte on EKS, Batch and the charts, and what our releases make of it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aerodrome_stacks.environment import Environment
from tests.charts.deployed import DeployedRelease
from tests.charts.helm import Manifest
from tests.charts.rendered.workloads import Cluster

_STEP = re.compile(r"\[(?P<quoted>[^\]]+)\]|(?P<plain>[^.\[\]]+)")

MISSING = "nothing is set there"
"""What a path leads to where neither our files nor code set anything."""


@dataclass(frozen=True)
class Platform:
    """What is installed into the cluster of an environment.

    Attributes:
        environment: What the team decided.
        releases: The releases by name, with the values that Helm gets.
        cluster: What the charts render to, as far as they are here: our own always.
    """

    environment: Environment
    releases: Mapping[str, DeployedRelease]
    cluster: Cluster

    def at(self, path: str) -> Any:  # noqa: ANN401 - any JSON value
        """The value at a path such as ``flyte:storage.type``; keys with dots stand in brackets."""
        name, _, rest = path.partition(":")
        value: Any = self.releases[name].values
        for step in _STEP.finditer(rest):
            key = step["quoted"] or step["plain"]
            if not isinstance(value, Mapping) or key not in value:
                return MISSING
            value = value[key]
        return value

    def one(self, release: str, kind: str, name: str) -> Manifest:
        """The object of a kind and a name that a chart of our own renders to."""
        (found,) = (
            one for one in self.cluster.manifests[release] if (one["kind"], one["metadata"]["name"]) == (kind, name)
        )
        return found


@dataclass(frozen=True)
class Fact:
    """A fact, and what has to hold because of it.

    Attributes:
        source: Where it is told: the section of the reference on Flyte on EKS, and behind a slash the number of a trap.
        says: What is so, and what comes of it.
        holds: Whether ours keeps to it.
        found: What ours has instead, for who reads the failure.
    """

    source: str
    says: str
    holds: Callable[[Platform], bool]
    found: Callable[[Platform], object] = lambda _: "see the check"


def sets(source: str, path: str, expected: object, says: str) -> Fact:
    """A value has to be set, to exactly this."""
    return Fact(source, says, lambda platform: bool(platform.at(path) == expected), lambda platform: platform.at(path))


def on(source: str, path: str, says: str) -> Fact:
    """Something has to be switched on."""
    return sets(source, path, True, says)  # noqa: FBT003 - the value that is looked for


def off(source: str, path: str, says: str) -> Fact:
    """Something has to be switched off."""
    return sets(source, path, False, says)  # noqa: FBT003 - the value that is looked for


def removes(source: str, path: str, says: str) -> Fact:
    """A default of the chart has to go: a null removes it, and nothing would leave it."""
    return Fact(source, says, lambda platform: platform.at(path) is None, lambda platform: platform.at(path))


def leaves(source: str, path: str, says: str) -> Fact:
    """A value must not be set."""
    return Fact(source, says, lambda platform: platform.at(path) == MISSING, lambda platform: platform.at(path))


def given(source: str, path: str, says: str, check: Callable[[Any], bool]) -> Fact:
    """A value has to be set, to something that a check takes."""

    def holds(platform: Platform) -> bool:
        value = platform.at(path)
        return value is not None and value != MISSING and check(value)

    return Fact(source, says, holds, lambda platform: platform.at(path))


def kept(source: str, says: str, holds: Callable[[Platform], bool]) -> Fact:
    """Something else has to hold."""
    return Fact(source, says, holds)
