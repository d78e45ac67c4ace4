"""The value paths that a chart knows: those that its files say, and those that we reviewed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

HERE = Path(__file__).parent


@dataclass(frozen=True)
class KnownPaths:
    """The paths of one chart.

    Attributes:
        header: The first line of the list: the chart and its version.
        known: Paths that can be set.
        free_form: Paths of maps in which any key can be set.
    """

    header: str
    known: frozenset[str]
    free_form: frozenset[str]


@cache
def known_paths_of(chart: str) -> KnownPaths:
    """Read what is known of a chart."""
    lines = (HERE / "paths" / f"{chart}.txt").read_text(encoding="utf-8").splitlines()
    listed = {line for line in lines if not line.startswith("#")}
    reviewed = extra_paths()
    own, kubernetes = reviewed.get(chart, {"known": {}, "free_form": {}}), reviewed["kubernetes"]
    known = listed | set(_with_parents(own["known"]))
    for key, below in kubernetes["known"].items():
        known |= set(_with_parents(f"{path}.{name}" for path in _named(key, listed) for name in below))
    free_form = {path for key in kubernetes["free_form"] for path in _named(key, known)}
    return KnownPaths(lines[0], frozenset(known), frozenset({*free_form, *own["free_form"]}))


@cache
def extra_paths() -> Mapping[str, Any]:
    """What we reviewed, by chart, and under `kubernetes` what holds for all of them."""
    return dict(YAML(typ="safe").load(HERE / "extra_paths.yaml"))


def _named(key: str, paths: Iterable[str]) -> list[str]:
    return [path for path in paths if path == key or path.endswith(f".{key}")]


def _with_parents(paths: Iterable[str]) -> Iterable[str]:
    for path in paths:
        keys = path.split(".")
        # A key in quotation marks has dots of its own, and its parts stand for nothing: they do no harm.
        yield from (".".join(keys[:length]) for length in range(1, len(keys) + 1))
