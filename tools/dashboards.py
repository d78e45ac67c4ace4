"""Writes Grafana's dashboards: ``python tools/dashboards.py``, or ``make dashboards``.

What a dashboard shows is in ``tools/dashboards/<name>.yaml``: rows of panels, each with a title, a description, a unit
and its queries by legend. Where things stand and what they look like is here, so that it is the same in all of them.
The JSON goes to ``charts/aerodrome-monitoring/files/dashboards/``, which the chart makes ConfigMaps of.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

ROOT: Final = Path(__file__).resolve().parents[1]
SOURCES: Final = ROOT / "tools" / "dashboards"
WRITTEN: Final = ROOT / "charts" / "aerodrome-monitoring" / "files" / "dashboards"

Json = dict[str, Any]

_DATASOURCE: Final = {"type": "prometheus", "uid": "prometheus"}
_COLUMNS: Final = 24
_HEIGHTS: Final = {"stat": 4, "gauge": 6, "timeseries": 8, "table": 9, "bargauge": 8}
_DASHBOARD_KEYS: Final = {"title", "description", "tags", "range", "refresh", "variables", "rows"}
_PANEL_KEYS: Final = {
    "title",
    "description",
    "unit",
    "type",
    "width",
    "queries",
    "stack",
    "min",
    "max",
    "decimals",
    "thresholds",
    "columns",
}
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")
_DURATIONS: Final = {"__rate_interval": "5m", "__interval": "1m", "__range": "1h"}


class DashboardError(ValueError):
    """A source does not describe a dashboard."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query of a dashboard.

    Attributes:
        where: The dashboard and the panel or variable, for whoever looks for it.
        expression: In PromQL, with Grafana's variables in it.
    """

    where: str
    expression: str

    @property
    def promql(self) -> str:
        """The expression with a value in place of each variable."""
        return _VARIABLE.sub(lambda found: _DURATIONS.get(found[1] or found[2], "x"), self.expression)


def dashboard(source: Path) -> Json:
    """A dashboard as Grafana reads it.

    Args:
        source: The file that says what it shows.

    Raises:
        DashboardError: A key is missing or not known.
    """
    text: Mapping[str, Any] = YAML(typ="safe").load(source)
    _check(source.name, text, required={"title", "description", "tags", "rows"}, known=_DASHBOARD_KEYS)
    return {
        # Links lead to it, and it stays what it is when the dashboard is written anew.
        "uid": f"aerodrome-{source.stem}",
        "title": text["title"],
        "description": text["description"],
        "tags": ["aerodrome", *text["tags"]],
        "editable": False,
        "graphTooltip": 1,
        "refresh": text.get("refresh", "1m"),
        "schemaVersion": 39,
        "time": {"from": f"now-{text.get('range', '6h')}", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_variable(name, value) for name, value in text.get("variables", {}).items()]},
        "annotations": {"list": []},
        "panels": list(_panels(source.name, text["rows"])),
    }


def written(content: Mapping[str, Any]) -> str:
    """The text of a dashboard's file: a line for each panel, so that a difference shows which one changed."""
    head = json.dumps({key: value for key, value in content.items() if key != "panels"}, ensure_ascii=False)
    panels = ",\n".join(json.dumps(panel, ensure_ascii=False) for panel in content["panels"])
    return f'{head.removesuffix("}")}, "panels": [\n{panels}\n]}}\n'


def queries(content: Mapping[str, Any]) -> Iterator[Query]:
    """Every query of a dashboard, those of its variables included."""
    title = content["title"]
    for variable in content["templating"]["list"]:
        found = re.fullmatch(r"label_values\((.+), \w+\)", variable["query"]["query"])
        if found is None:
            raise DashboardError(f"{title}: the variable {variable['name']} is no label_values(series, label)")
        yield Query(f"{title}: ${variable['name']}", found[1])
    for panel in content["panels"]:
        for target in panel.get("targets", []):
            yield Query(f"{title}: {panel['title']}", target["expr"])


def _variable(name: str, value: Mapping[str, str]) -> Json:
    return {
        "name": name,
        "label": value["label"],
        "type": "query",
        "datasource": _DATASOURCE,
        "query": {"query": value["query"], "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": False,
        "includeAll": value.get("all", False),
        "allValue": ".*",
    }


def _panels(file: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[Json]:
    top = 0
    for row in rows:
        yield {"type": "row", "title": row["title"], "collapsed": False, "gridPos": _place(0, top, _COLUMNS, 1)}
        top += 1
        left = tallest = 0
        for panel in row["panels"]:
            _check(
                f"{file}: {panel.get('title')}",
                panel,
                required={"title", "description", "unit", "queries"},
                known=_PANEL_KEYS,
            )
            width, height = panel.get("width", 8), _HEIGHTS[panel.get("type", "timeseries")]
            if left + width > _COLUMNS:
                top, left, tallest = top + tallest, 0, 0
            yield _panel(panel, _place(left, top, width, height))
            left, tallest = left + width, max(tallest, height)
        top += tallest


def _place(left: int, top: int, width: int, height: int) -> Json:
    return {"x": left, "y": top, "w": width, "h": height}


def _panel(panel: Mapping[str, Any], place: Json) -> Json:
    kind = panel.get("type", "timeseries")
    instant = kind in {"table", "bargauge"}
    return {
        "type": kind,
        "title": panel["title"],
        "description": panel["description"],
        "datasource": _DATASOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": _defaults(panel, kind), "overrides": []},
        "options": _options(kind),
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _DATASOURCE,
                "expr": expression,
                "legendFormat": legend,
                "instant": instant,
                "range": not instant,
                **({"format": "table"} if kind == "table" else {}),
            }
            for index, (legend, expression) in enumerate(panel["queries"].items())
        ],
        **({"transformations": _columns(panel["columns"])} if kind == "table" else {}),
    }


def _defaults(panel: Mapping[str, Any], kind: str) -> Json:
    steps = [{"color": "green", "value": None}]
    # A threshold is where it turns bad: above it, or below it where the first of two is the greater.
    if limits := panel.get("thresholds"):
        first, last = limits
        steps = [
            {"color": "green" if first < last else "red", "value": None},
            {"color": "orange", "value": min(limits)},
            {"color": "red" if first < last else "green", "value": max(limits)},
        ]
    defaults: Json = {
        "unit": panel["unit"],
        "min": panel.get("min", 0),
        "thresholds": {"mode": "absolute", "steps": steps},
    }
    if "max" in panel:
        defaults["max"] = panel["max"]
    if "decimals" in panel:
        defaults["decimals"] = panel["decimals"]
    if kind == "timeseries":
        defaults["custom"] = {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 30 if panel.get("stack") else 5,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.get("stack") else "none", "group": "A"},
            "thresholdsStyle": {"mode": "dashed" if limits else "off"},
        }
    return defaults


def _options(kind: str) -> Json:
    last: Json = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    if kind == "timeseries":
        return {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    if kind == "table":
        return {"showHeader": True, "footer": {"show": False}}
    if kind == "bargauge":
        return {"reduceOptions": last, "orientation": "horizontal", "displayMode": "basic"}
    return {"reduceOptions": last, "colorMode": "value", "graphMode": "area", "textMode": "auto"}


def _columns(names: Mapping[str, str]) -> list[Json]:
    """Several queries as one table, with these columns under these names and no others."""
    return [
        {"id": "merge", "options": {}},
        {"id": "filterFieldsByName", "options": {"include": {"names": list(names)}}},
        {
            "id": "organize",
            "options": {
                "renameByName": dict(names),
                "indexByName": {name: index for index, name in enumerate(names)},
                "excludeByName": {},
            },
        },
    ]


def _check(where: str, text: Mapping[str, Any], *, required: set[str], known: set[str]) -> None:
    if problem := (required - text.keys()) | (text.keys() - known):
        raise DashboardError(
            f"{where}: missing or unknown: {', '.join(sorted(problem))}; there must be {', '.join(sorted(required))}, "
            f"and there may be {', '.join(sorted(known - required))}"
        )
    if text.get("type", "timeseries") not in _HEIGHTS:
        raise DashboardError(f"{where}: the type is {text['type']}; it is one of {', '.join(sorted(_HEIGHTS))}")
    if (text.get("type") == "table") != ("columns" in text):
        raise DashboardError(f"{where}: a table, and nothing else, has columns: their names in the query, and shown")


def sources() -> list[Path]:
    """The files that say what dashboards show."""
    return sorted(SOURCES.glob("*.yaml"))


def main() -> None:
    """Write every dashboard, and remove what no source is left of."""
    names = set()
    for source in sources():
        names.add(f"{source.stem}.json")
        (WRITTEN / f"{source.stem}.json").write_text(written(dashboard(source)), encoding="utf-8")
    for file in WRITTEN.glob("*.json"):
        if file.name not in names:
            file.unlink()
    print(f"{len(names)} dashboards in {WRITTEN.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
