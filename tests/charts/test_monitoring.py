"""Rules and dashboards: each reads series that there are, and each alert says what to do."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import promql_parser
import pytest
import yaml

from aerodrome_stacks.chart_values.monitoring import monitoring, objectives
from aerodrome_stacks.environment import Environment
from dashboards import dashboard, queries, sources
from rules import TESTS, environments, rendered, rule_files
from tests.charts.deployed import DeployedRelease
from tests.charts.helm import Helm
from tests.charts.metric_names import (
    JOBS,
    LISTS,
    OF_PROMETHEUS,
    SCRAPED_BY,
    Made,
    Selector,
    exporters_of,
    exposed,
    selectors,
)
from tests.charts.metric_names import sources as sources_of
from tests.charts.rendered.exceptions import exceptions
from tests.templates import ROOT

Rule = Mapping[str, Any]

# What the manager of flytepropeller's shards makes pods of: they answer as flytepropeller.
JOB_OF = {"flytepropeller-template": "flytepropeller"}
# Made by its chart, for nodes with a label that none of ours has.
WITHOUT_PODS = {"nvidia-device-plugin-mps-control-daemon"}

# Of Grafana's own list (packages/grafana-data/src/valueFormats/categories.ts). Another it shows as it stands.
UNITS = {
    *("none", "short", "percent", "percentunit", "currencyUSD"),
    *("bytes", "gbytes", "ms", "s"),
    *("cpm", "cps", "iops", "ops", "reqps"),
}


@cache
def rules(environment: str) -> tuple[Rule, ...]:
    found = tuple(
        rule
        for spec in rule_files(rendered(environment)).values()
        for group in spec["groups"]
        for rule in group["rules"]
    )
    assert len(found) > 50, "the listing is broken"
    return found


@cache
def recorded() -> frozenset[str]:
    return frozenset(rule["record"] for name in environments() for rule in rules(name) if "record" in rule)


def alerts(environment: str) -> list[Rule]:
    found = [rule for rule in rules(environment) if "alert" in rule]
    assert len(found) > 40, "the listing is broken"
    return found


def everything_asked() -> Iterator[tuple[str, Selector]]:
    """Each series that a rule or a panel asks for, with who asks."""
    for name in environments():
        for rule in rules(name):
            for selector in selectors(rule["expr"]):
                yield rule.get("alert", rule.get("record", "")), selector
    for source in sources():
        for query in queries(dashboard(source)):
            for selector in selectors(query.promql):
                yield query.where, selector


def test_every_series_is_exposed_by_an_exporter_or_recorded_by_a_rule() -> None:
    asked = list(everything_asked())
    assert len({selector.name for _, selector in asked}) > 100, "the listing is broken"

    unknown = {
        f"{who}: {selector.name}"
        for who, selector in asked
        if selector.name not in OF_PROMETHEUS | recorded() and not exporters_of(selector.name)
    }

    assert unknown == set()


def test_a_series_that_nobody_exposes_is_found() -> None:
    (selector,) = selectors("rate(flyte:propeller:all:round:success_total[5m])")

    assert exporters_of(selector.name) == []
    assert exporters_of("flyte:propeller:all:round:success_count") == ["flytepropeller"]
    assert exporters_of("flyte:admin:admin:execution_manager:a:b:scheduled_execution_delay_ns") == ["flyteadmin"]


def test_the_parser_refuses_what_is_no_promql() -> None:
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        list(selectors("sum(rate(up[5m])"))
    with pytest.raises(ValueError, match="without naming them"):
        list(selectors('{job="flyteadmin"}'))


def test_every_job_that_is_asked_for_is_one() -> None:
    asked = {(who, selector.job) for who, selector in everything_asked() if selector.job is not None}
    assert asked, "the listing is broken"

    assert {f"{who}: {job}" for who, job in asked if job not in JOBS} == set()


def test_up_is_never_asked_for_without_a_job() -> None:
    assert [who for who, selector in everything_asked() if selector == Selector("up", None)] == []


def test_each_list_of_series_belongs_to_an_exporter_and_says_where_it_was_read() -> None:
    lists = {file.stem for file in LISTS.glob("*.txt")}

    assert lists == set(SCRAPED_BY)
    assert [name for name in lists if not sources_of(name) or not exposed(name)] == []


def test_every_exporter_is_scraped(releases: Mapping[str, DeployedRelease], helm: Helm) -> None:
    own = {
        name: helm.template(
            releases[name].folder, release=name, namespace=releases[name].namespace, values=releases[name].values
        )
        for name in {by.release for by in SCRAPED_BY.values() if isinstance(by, Made)}
    }

    assert [
        exporter
        for exporter, by in SCRAPED_BY.items()
        if not (by.scraped(own[by.release]) if isinstance(by, Made) else by.scraped(releases))
    ] == []


def test_every_alert_says_what_it_is_and_what_to_do() -> None:
    wanting = {
        f"{rule['alert']}: {key}"
        for name in environments()
        for rule in alerts(name)
        for key in ("summary", "description", "runbook")
        if not rule["annotations"].get(key)
    }

    assert wanting == set()


def test_every_alert_has_somebody_come_or_write_a_ticket() -> None:
    assert {rule["labels"]["severity"] for name in environments() for rule in alerts(name)} == {"page", "ticket"}


def test_the_page_of_every_alert_is_there_and_names_it() -> None:
    for rule in alerts("prod"):
        page = ROOT / rule["annotations"]["runbook"]
        assert re.fullmatch(r"runbooks/[a-z0-9-]+\.md", rule["annotations"]["runbook"])
        assert page.is_file(), f"{rule['alert']}: there is no {page.relative_to(ROOT)}"
        assert f"`{rule['alert']}`" in page.read_text(encoding="utf-8"), f"{page.name} does not name {rule['alert']}"


def test_an_alert_has_one_name_and_one_page() -> None:
    pages: dict[str, set[str]] = {}
    for rule in alerts("prod"):
        pages.setdefault(rule["alert"], set()).add(rule["annotations"]["runbook"])

    assert {alert for alert, named in pages.items() if len(named) > 1} == set()


def test_every_alert_fires_in_a_test_of_its_own() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in TESTS.glob("*.test.yaml"))
    patterns = set(re.findall(r'alertname=~?"([^"]+)"', text)) | set(re.findall(r"alertname: (\w+)", text))
    assert patterns, "the listing is broken"

    untested = [
        rule["alert"]
        for rule in alerts("prod")
        # A pattern that takes every alert proves none.
        if not any(re.fullmatch(pattern, rule["alert"]) for pattern in patterns - {".+"})
    ]

    assert untested == []


def watched(environment: str) -> set[str]:
    """The jobs, Deployments and DaemonSets that an alert misses when they are gone."""
    asked = [(rule["expr"], selector) for rule in alerts(environment) for selector in selectors(rule["expr"])]
    jobs = {selector.job for _, selector in asked if selector.name == "up" and selector.job is not None}
    kinds = r"kube_(deployment|daemonset)_status_(?:replicas_available|number_unavailable)"
    return jobs | {
        name for expression, _ in asked for _, name in re.findall(kinds + r'\{[^}]*\1="([^"]+)"', expression)
    }


@pytest.mark.parametrize("name", environments())
def test_what_has_no_probes_has_an_alert(name: str) -> None:
    excused = {breach.workload.partition("/")[2] for breach in exceptions() if breach.rule == "probes"}
    assert len(excused) > 5, "the listing is broken"

    assert {JOB_OF.get(one, one) for one in excused - WITHOUT_PODS} - watched(name) == set()


def adds_what_may_be_absent(expression: str) -> bool:
    """Whether a sum is empty as soon as one of its terms is."""
    sums: list[promql_parser.BinaryExpr] = []

    def note(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.BinaryExpr) and str(node.op) == "+":
            sums.append(node)

    promql_parser.walk(promql_parser.parse(expression), note)
    return any(isinstance(side, promql_parser.AggregateExpr) for node in sums for side in (node.lhs, node.rhs))


def test_a_term_that_is_absent_does_not_hide_the_others() -> None:
    assert adds_what_may_be_absent("sum(rate(a[5m])) + (sum(rate(b[5m])) or vector(0)) > 0")
    assert adds_what_may_be_absent("(sum(a) or vector(0)) + (sum(b) or vector(0)) + sum(c)")
    assert not adds_what_may_be_absent("(sum(rate(a[5m])) or vector(0)) + (sum(rate(b[5m])) or vector(0)) > 0")

    wrong = {
        rule.get("alert", rule.get("record"))
        for name in environments()
        for rule in rules(name)
        if adds_what_may_be_absent(rule["expr"])
    }

    assert wrong == set()


def test_every_service_level_burns_over_four_pairs_of_windows(environment: Environment) -> None:
    for name in objectives(environment):
        found = {
            (rule["labels"]["window"], rule["labels"]["severity"], *re.findall(r"ratio_rate(\w+)\{", rule["expr"]))
            for rule in alerts(environment.name)
            if rule["labels"].get("slo") == name
        }
        assert found == {
            ("1h", "page", "1h", "5m"),
            ("6h", "page", "6h", "30m"),
            ("1d", "ticket", "1d", "2h"),
            ("3d", "ticket", "3d", "6h"),
        }


def test_every_burn_can_be_reached(environment: Environment) -> None:
    for objective in objectives(environment).values():
        # The fastest is 14.4 times the budget; more than everything cannot be bad.
        assert 14.4 * (1 - objective) < 1


@pytest.mark.cdk_variants("prod")
def test_the_budget_looks_no_further_back_than_prometheus(environment: Environment) -> None:
    values = monitoring(environment)
    days = int(str(values["budgetWindow"]).removesuffix("d"))

    assert days == 30
    assert days <= environment.retention.metrics.days


@pytest.mark.cdk_variants("dev")
def test_the_budget_of_a_short_memory_is_short(environment: Environment) -> None:
    assert monitoring(environment)["budgetWindow"] == "15d"
    assert set(objectives(environment).values()) == {0.95}


@pytest.mark.cdk_variants("prod")
def test_every_project_and_domain_has_its_namespace_and_its_series(environment: Environment) -> None:
    labels = [rule["labels"] for rule in rules("prod") if rule.get("record") == "aerodrome:project_namespace:info"]

    assert {(one["namespace"], one["project"], one["domain"]) for one in labels} == {
        (f"{project.name}-{domain}", project.name, domain)
        for project in environment.projects
        for domain in project.domains
    }
    delays = [
        rule["expr"] for rule in rules("prod") if rule.get("record") == "aerodrome:flyte_schedule_delay_seconds:p90"
    ]
    assert "execution_manager:fraud_detection:production:scheduled_execution_delay_ns" in delays[0] + delays[1]


def test_every_dashboard_is_what_its_source_says() -> None:
    folder = ROOT / "charts" / "aerodrome-monitoring" / "files" / "dashboards"
    made = {f"{source.stem}.json": dashboard(source) for source in sources()}
    assert len(made) > 8, "the listing is broken"

    found = {file.name: json.loads(file.read_text(encoding="utf-8")) for file in folder.glob("*.json")}

    assert found == made, "run make dashboards"


def test_every_panel_says_what_it_shows_and_in_which_unit() -> None:
    for source in sources():
        content = dashboard(source)
        panels = [panel for panel in content["panels"] if panel["type"] != "row"]
        assert len(panels) > 4, "the listing is broken"
        for panel in panels:
            assert panel["title"]
            assert panel["description"].endswith("."), panel["title"]
            assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
            assert panel["targets"], panel["title"]
        # The number of a dashboard is the database's, and those of panels are made on loading.
        assert "id" not in content
        assert [panel["title"] for panel in panels if "id" in panel] == []


def test_dashboards_are_told_apart_and_read_the_charts_prometheus() -> None:
    content = [dashboard(source) for source in sources()]

    assert len({one["uid"] for one in content}) == len({one["title"] for one in content}) == len(content)
    assert {
        target["datasource"]["uid"] for one in content for panel in one["panels"] for target in panel.get("targets", [])
    } == {"prometheus"}


def test_panels_do_not_lie_on_each_other() -> None:
    for source in sources():
        places = [panel["gridPos"] for panel in dashboard(source)["panels"]]
        cells = [
            (x, y)
            for place in places
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        assert len(cells) == len(set(cells)), source.name
        assert max(x for x, _ in cells) < 24


def test_a_team_sees_its_own_project_only_where_it_is_asked_for() -> None:
    (source,) = [source for source in sources() if source.stem == "flyte-project"]
    unbound = [
        query.where
        for query in queries(dashboard(source))
        if "$project" not in query.expression and "label_values" not in query.expression and "$" not in query.where
    ]

    assert unbound == []


def test_grafana_finds_every_dashboard() -> None:
    maps = [one for one in rendered("prod") if one["kind"] == "ConfigMap"]

    assert {one["metadata"]["labels"]["grafana_dashboard"] for one in maps} == {"1"}
    assert {name for one in maps for name in one["data"]} == {f"{source.stem}.json" for source in sources()}
    for one in maps:
        for text in one["data"].values():
            assert json.loads(text)["title"]


def test_the_schema_of_the_chart_refuses_an_objective_whose_alert_cannot_fire(
    helm: Helm, environment: Environment
) -> None:
    values = json.loads(json.dumps(monitoring(environment)))
    values["serviceLevels"]["flyte-schedules"]["objective"] = 0.9

    with pytest.raises(AssertionError, match="minimum"):
        helm.lint(ROOT / "charts" / "aerodrome-monitoring", values)


@pytest.mark.cdk_variants("prod")
def test_every_shard_of_flytepropeller_must_answer(helm: Helm, environment: Environment) -> None:
    sharded = environment.flyte.model_copy(update={"propeller_shards": 3})
    manifests = helm.template(
        ROOT / "charts" / "aerodrome-monitoring",
        release="aerodrome-monitoring",
        namespace="monitoring",
        values=monitoring(environment.model_copy(update={"flyte": sharded})),
    )
    (rule,) = rule_files(manifests)["aerodrome-flyte-propeller"]["groups"][0]["rules"]

    assert rule["expr"] == '(sum(up{job="flytepropeller"}) or vector(0)) < 3'
    assert rule["annotations"]["summary"] == "A shard of flytepropeller does not answer"


@pytest.mark.cdk_variants("prod")
@pytest.mark.parametrize("private", [False, True])
def test_external_dns_is_watched_where_it_is_installed(helm: Helm, environment: Environment, *, private: bool) -> None:
    network = environment.network.model_copy(update={"private": private})
    manifests = helm.template(
        ROOT / "charts" / "aerodrome-monitoring",
        release="aerodrome-monitoring",
        namespace="monitoring",
        values=monitoring(environment.model_copy(update={"network": network})),
    )
    monitors = [one["spec"] for one in manifests if one["metadata"]["name"] == "external-dns"]

    assert ("aerodrome-dns" in rule_files(manifests)) is not private
    assert [(one["namespaceSelector"], one["podMetricsEndpoints"][0]["port"]) for one in monitors] == (
        [] if private else [({"matchNames": ["external-dns"]}, "http")]
    )


def test_external_dns_is_watched_if_and_only_if_it_is_a_release(
    releases: Mapping[str, DeployedRelease], environment: Environment
) -> None:
    assert monitoring(environment)["keepsDnsRecords"] is ("external-dns" in releases)


def test_the_load_balancer_is_that_of_the_ingresses(
    releases: Mapping[str, DeployedRelease], environment: Environment
) -> None:
    annotations = releases["flyte"].value("common", "ingress", "annotations")

    assert monitoring(environment)["loadBalancerGroup"] == annotations["alb.ingress.kubernetes.io/group.name"]


def test_promql_and_templates_of_rules_are_texts_of_one_line() -> None:
    for rule in rules("prod"):
        assert "\n" not in rule["expr"].strip()
        promql_parser.parse(rule["expr"])


def test_the_tests_of_rules_read_what_is_rendered() -> None:
    for file in TESTS.glob("*.test.yaml"):
        text = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert all(one.startswith("../../build/rules/") for one in text["rule_files"])
