"""The value paths that a Helm chart knows: Helm takes a misspelt key without a word; a list of the right ones does not.

The paths come from an unpacked chart (``helm pull --untar``, or its folder in a checkout): its ``values.yaml``, its
``values.schema.json``, what its templates read, and the same of the charts in its ``charts/`` folder. Print them with

    .venv/bin/python tools/chart_paths.py CHART_DIRECTORY

A path is written with dots. A key that has a dot itself is in quotation marks: ``grafana."grafana.ini".server``.
"""

import argparse
import difflib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

Keys = tuple[str, ...]

# .Values.a.b-less.c and $.Values.a.b: what a template reads. Keys that are no identifiers are read with `index`.
_READ = re.compile(r"\.Values((?:\.[A-Za-z_][A-Za-z0-9_]*)+)")
_INDEXED = re.compile(r"index\s+\$?\.Values((?:\.[A-Za-z_][A-Za-z0-9_]*)*)((?:\s+\"[^\"]+\")+)")


@dataclass(frozen=True, slots=True)
class UnknownPath:
    """A path that a chart does not know.

    Attributes:
        path: The path.
        nearest: The known path that is most like it; ``None`` if none is.
    """

    path: str
    nearest: str | None

    def __str__(self) -> str:
        """The path, and what was probably meant."""
        return self.path if self.nearest is None else f"{self.path}; did you mean {self.nearest}?"


def known_paths(chart: Path) -> set[str]:
    """The paths that an unpacked chart knows, its sub-charts included."""
    return {write_path(path) for path in _chart_paths(chart)}


def unknown_paths(values: Mapping[str, Any], known: set[str], free_form: set[str]) -> list[UnknownPath]:
    """The paths in values that a chart does not know.

    Args:
        values: Values that we set.
        known: What `known_paths` says of the chart.
        free_form: Paths of maps whose keys the chart does not know, such as annotations: anything goes below them.
    """
    return list(_unknown(values, (), known, free_form))


def paths_in(values: Mapping[str, Any]) -> set[str]:
    """The paths of values: of every key, at every depth."""
    return {write_path(path) for path in _paths_of_values(values, ())}


def write_path(keys: Keys) -> str:
    """A path as text."""
    return ".".join(f'"{key}"' if "." in key else key for key in keys)


def _unknown(values: Mapping[str, Any], prefix: Keys, known: set[str], free_form: set[str]) -> Iterator[UnknownPath]:
    for key, value in values.items():
        keys = (*prefix, key)
        path = write_path(keys)
        if path in free_form:
            continue
        if path not in known:
            yield UnknownPath(path, _nearest(path, write_path(prefix), known))
        elif isinstance(value, Mapping):
            yield from _unknown(value, keys, known, free_form)


def _nearest(path: str, parent: str, known: set[str]) -> str | None:
    # First among its siblings, where a slip of the keyboard would be; then anywhere, for a key in the wrong place.
    siblings = [other for other in known if other.rpartition(".")[0] == parent]
    return next(
        (match for names in (siblings, sorted(known)) for match in difflib.get_close_matches(path, names, n=1)), None
    )


def _chart_paths(chart: Path) -> Iterator[Keys]:
    yield from _with_parents(_paths_of_values(_load_yaml(chart / "values.yaml"), ()))
    schema = chart / "values.schema.json"
    if schema.is_file():
        yield from _paths_of_schema(json.loads(schema.read_text(encoding="utf-8")), ())
    for template in sorted((chart / "templates").rglob("*")):
        if template.is_file() and template.suffix in {".yaml", ".yml", ".tpl", ".txt"}:
            yield from _with_parents(_paths_of_template(template.read_text(encoding="utf-8")))
    aliases = {
        dependency["name"]: dependency.get("alias", dependency["name"])
        for dependency in _load_yaml(chart / "Chart.yaml").get("dependencies", [])
    }
    for folder in sorted((chart / "charts").glob("*/Chart.yaml")):
        name = aliases.get(folder.parent.name, folder.parent.name)
        yield (name,)
        yield from ((name, *path) for path in _chart_paths(folder.parent))


def _load_yaml(path: Path) -> dict[str, Any]:
    # Charts are written for the YAML 1.1 of Go, which takes a key twice; the last one counts.
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True
    return dict(yaml.load(path) or {})


def _paths_of_values(values: Mapping[str, Any], prefix: Keys) -> Iterator[Keys]:
    for key, value in values.items():
        path = (*prefix, str(key))
        yield path
        if isinstance(value, Mapping):
            yield from _paths_of_values(value, path)


def _paths_of_schema(schema: Mapping[str, Any], prefix: Keys) -> Iterator[Keys]:
    for key, child in schema.get("properties", {}).items():
        path = (*prefix, key)
        yield path
        if isinstance(child, Mapping):
            yield from _paths_of_schema(child, path)


def _paths_of_template(text: str) -> Iterator[Keys]:
    for match in _READ.finditer(text):
        yield tuple(match.group(1).removeprefix(".").split("."))
    for match in _INDEXED.finditer(text):
        attributes = tuple(filter(None, match.group(1).split(".")))
        yield (*attributes, *re.findall(r'"([^"]+)"', match.group(2)))


def _with_parents(paths: Iterator[Keys]) -> Iterator[Keys]:
    for path in paths:
        yield from (path[:length] for length in range(1, len(path) + 1))


def _main() -> int:
    parser = argparse.ArgumentParser(description="Print the value paths that an unpacked Helm chart knows.")
    parser.add_argument("chart", type=Path, help="the unpacked chart's folder")
    chart: Path = parser.parse_args().chart
    if not (chart / "Chart.yaml").is_file() or not (chart / "values.yaml").is_file():
        print(f"{chart}: no Chart.yaml or no values.yaml: not the folder of an unpacked chart", file=sys.stderr)
        return 2
    about = _load_yaml(chart / "Chart.yaml")
    parts = [name for name in ("values.yaml", "values.schema.json", "templates", "charts") if (chart / name).exists()]
    print(f"# The value paths that {about['name']} {about['version']} knows, from its {', '.join(parts)}.")
    print(
        f"# Written by: .venv/bin/python tools/chart_paths.py {about['name']}/ > tests/charts/paths/{about['name']}.txt"
    )
    print("\n".join(sorted(known_paths(chart))))
    return 0


if __name__ == "__main__":
    sys.exit(_main())
