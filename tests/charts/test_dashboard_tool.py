"""The tool that writes dashboards: what it refuses, and what it makes of a source."""

from pathlib import Path
from textwrap import dedent

import pytest

from dashboards import DashboardError, Query, dashboard, queries, written

PANEL = "{ title: T, description: D., unit: none, queries: { a: up } }"


def source(folder: Path, panels: str, *, more: str = "") -> Path:
    file = folder / "name.yaml"
    file.write_text(
        dedent(
            f"""\
            title: Title
            description: What it shows.
            tags: [one]
            {more}
            rows:
              - title: Row
                panels: [{panels}]
            """
        ),
        encoding="utf-8",
    )
    return file


def test_the_name_of_the_file_is_the_address_of_the_dashboard(tmp_path: Path) -> None:
    assert dashboard(source(tmp_path, PANEL))["uid"] == "aerodrome-name"


def test_panels_stand_side_by_side_and_then_below(tmp_path: Path) -> None:
    row, *panels = dashboard(source(tmp_path, ", ".join([PANEL] * 4)))["panels"]

    assert row["gridPos"] == {"x": 0, "y": 0, "w": 24, "h": 1}
    assert [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels] == [(0, 1), (8, 1), (16, 1), (0, 9)]


@pytest.mark.parametrize(
    ("panel", "says"),
    [
        ("{ title: T, description: D., queries: { a: up } }", "unit"),
        ("{ title: T, description: D., unit: none, queries: { a: up }, colour: red }", "colour"),
        ("{ title: T, description: D., unit: none, queries: { a: up }, type: pie }", "the type is pie"),
        ("{ title: T, description: D., unit: none, queries: { a: up }, type: table }", "has columns"),
    ],
)
def test_a_panel_that_is_none_is_refused_by_name(tmp_path: Path, panel: str, says: str) -> None:
    with pytest.raises(DashboardError, match=f"(?s)name.yaml: T: .*{says}"):
        dashboard(source(tmp_path, panel))


def test_a_variable_asks_for_the_values_of_a_label(tmp_path: Path) -> None:
    good = source(tmp_path, PANEL, more='variables: { job: { label: Job, query: "label_values(up, job)" } }')
    assert [query.expression for query in queries(dashboard(good))] == ["up", "up"]

    bad = source(tmp_path, PANEL, more='variables: { job: { label: Job, query: "metrics(.*)" } }')
    with pytest.raises(DashboardError, match="the variable job is no label_values"):
        list(queries(dashboard(bad)))


def test_promql_has_a_value_for_each_of_grafanas_variables() -> None:
    query = Query("here", 'rate(up{job="$job", namespace="$project-${domain:raw}"}[$__rate_interval])')

    assert query.promql == 'rate(up{job="x", namespace="x-x"}[5m])'


def test_more_is_worse_or_less_is(tmp_path: Path) -> None:
    panels = ", ".join(
        PANEL.replace("unit: none", f"unit: none, thresholds: {limits}") for limits in ("[1, 2]", "[2, 1]")
    )
    _, more, less = dashboard(source(tmp_path, panels))["panels"]

    assert [step["color"] for step in more["fieldConfig"]["defaults"]["thresholds"]["steps"]] == [
        "green",
        "orange",
        "red",
    ]
    assert [step["color"] for step in less["fieldConfig"]["defaults"]["thresholds"]["steps"]] == [
        "red",
        "orange",
        "green",
    ]


def test_the_file_has_a_line_for_each_panel(tmp_path: Path) -> None:
    text = written(dashboard(source(tmp_path, ", ".join([PANEL] * 3))))

    # The head, the row, the panels, and the end.
    assert len(text.splitlines()) == 1 + 1 + 3 + 1
