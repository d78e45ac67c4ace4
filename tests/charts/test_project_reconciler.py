"""The program of ``charts/aerodrome-projects`` against a flyteadmin that answers as flyteadmin v1.16.8 does."""

import base64
import copy
import json
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from aerodrome_stacks.chart_values.project_settings import owner_label
from aerodrome_stacks.chart_values.reconciler_handler.program import main
from tests.charts.flyteadmin_server import Flyteadmin, FlyteadminHandler

Json = dict[str, Any]
Run = Callable[..., int]

FRAUD, FORECAST = ("fraud-detection", "production"), ("demand-forecast", "production")
NOTHING = {"attributes": {"quotaCpu": "0"}}


def attributes(project: str, domain: str) -> Json:
    """What is wanted for a project in a domain."""
    role = f"arn:aws:iam::111122223333:role/aerodrome-prod-{project}-{domain}"
    return {
        "cluster_resource_attributes": {"attributes": {"quotaCpu": "32"}},
        "execution_queue_attributes": {"tags": [f"{domain}-spot"]},
        "task_resource_attributes": {"defaults": {"cpu": "500m"}, "limits": {"cpu": "15", "gpu": "0"}},
        "workflow_execution_config": {
            "max_parallelism": 50,
            "raw_output_data_config": {"output_location_prefix": f"s3://raw/{project}/{domain}"},
            "security_context": {"run_as": {"iam_role": role, "k8s_service_account": "default"}},
        },
    }


def project(name: str, *domains: str) -> Json:
    """A project as the environment says it."""
    return {
        "id": name,
        "name": name,
        "description": f"{name}@example.com answers for it",
        "labels": {"values": {"aerodrome.io/owner": f"{name}_at_example.com"}},
        "domains": {domain: attributes(name, domain) for domain in domains},
    }


KINDS = tuple(attributes(*FRAUD))
PROJECTS = [project("fraud-detection", "development", "production"), project("demand-forecast", "production")]
WANTED = {
    (kind, one["id"], domain, ""): value
    for one in PROJECTS
    for domain, of in one["domains"].items()
    for kind, value in of.items()
}
CLOSED = ("cluster_resource_attributes", "demand-forecast", "development", "")


@pytest.fixture
def flyteadmin() -> Iterator[Flyteadmin]:
    """A flyteadmin on 127.0.0.1, as it comes up: with its initial projects, and no attributes."""
    projects = {one["id"]: {"id": one["id"], "name": one["id"], "state": "ACTIVE"} for one in PROJECTS}
    admin = Flyteadmin(projects=projects)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OneFlyteadmin", (FlyteadminHandler,), {"admin": admin}))
    admin.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield admin
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run(flyteadmin: Flyteadmin, tmp_path: Path) -> Run:
    """Run the program for these projects, and return its exit status."""

    def run(projects: list[Json] = PROJECTS, **changed: object) -> int:
        secret = tmp_path / "client_secret"
        secret.write_text("s3cr:t/%\n")
        settings = {
            "admin": flyteadmin.url,
            "projects": projects,
            "closed": {"cluster_resource_attributes": NOTHING},
            "sign_on": {
                "token_url": f"{flyteadmin.url}/token",
                "client_id": "aerodrome-prod-services",
                "client_secret_file": str(secret),
                "scopes": ["all"],
            },
        }
        file = tmp_path / "settings.json"
        file.write_text(json.dumps({**settings, **changed}))
        return main([str(file)])

    return run


def test_each_project_gets_its_attributes_in_its_domains_and_the_others_are_closed(
    flyteadmin: Flyteadmin, run: Run
) -> None:
    assert run() == 0
    assert flyteadmin.attributes == {**WANTED, CLOSED: NOTHING}


def test_a_second_run_writes_nothing(flyteadmin: Flyteadmin, run: Run) -> None:
    run()
    flyteadmin.writes.clear()
    assert (run(), flyteadmin.writes) == (0, [])


def test_nor_does_it_where_flyteadmin_answers_with_what_nobody_set(flyteadmin: Flyteadmin, run: Run) -> None:
    run()
    config = flyteadmin.of("workflow_execution_config", *FRAUD)
    config |= {"labels": None, "annotations": None, "interruptible": None, "overwrite_cache": False}
    config["security_context"] |= {"secrets": [], "tokens": []}
    limits = flyteadmin.of("task_resource_attributes", *FRAUD)["limits"]
    limits |= {"memory": "", "storage": "", "ephemeral_storage": ""}
    flyteadmin.writes.clear()
    assert (run(), flyteadmin.writes) == (0, [])


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_drifted_is_mended_and_nothing_else_is_touched(
    flyteadmin: Flyteadmin, run: Run, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    before = copy.deepcopy(flyteadmin.attributes)
    flyteadmin.attributes[kind, *FRAUD, ""] = {}
    flyteadmin.writes.clear()
    capsys.readouterr()
    assert run() == 0
    assert flyteadmin.attributes == before
    assert flyteadmin.writes == [("PUT", "/api/v1/project_domain_attributes/fraud-detection/production")]
    assert f"fraud-detection in production: {kind}: " in capsys.readouterr().out


def test_it_says_what_it_has_changed(flyteadmin: Flyteadmin, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run()
    flyteadmin.of("task_resource_attributes", *FRAUD)["limits"]["cpu"] = "1000"
    capsys.readouterr()
    run()
    assert capsys.readouterr().out.splitlines() == [
        'fraud-detection in production: task_resource_attributes: limits.cpu is "15" now',
        "4 domains of projects: 1 changed, 0 failed",
    ]


def test_what_else_an_operator_has_set_stays(flyteadmin: Flyteadmin, run: Run) -> None:
    flyteadmin.attributes["workflow_execution_config", *FRAUD, ""] = {
        "interruptible": True,
        "raw_output_data_config": None,
        "security_context": {"run_as": {"execution_identity": "someone"}, "secrets": [{"group": "a", "key": "b"}]},
    }
    flyteadmin.attributes["task_resource_attributes", *FRAUD, ""] = {"limits": {"ephemeral_storage": "20Gi"}}
    run()
    config = flyteadmin.of("workflow_execution_config", *FRAUD)
    assert config["interruptible"] is True
    assert config["security_context"]["secrets"] == [{"group": "a", "key": "b"}]
    assert config["security_context"]["run_as"]["execution_identity"] == "someone"
    limits = flyteadmin.of("task_resource_attributes", *FRAUD)["limits"]
    assert limits == {"cpu": "15", "gpu": "0", "ephemeral_storage": "20Gi"}


def test_what_holds_for_a_whole_project_or_one_workflow_is_not_taken_for_the_domains(
    flyteadmin: Flyteadmin, run: Run
) -> None:
    # flyteadmin puts them together itself; a copy would stay behind when they change.
    name = "workflow_execution_config"
    others = {(name, FRAUD[0], "", ""): {"max_parallelism": 7}, (name, *FRAUD, "nightly"): {"max_parallelism": 8}}
    flyteadmin.attributes |= others
    run()
    assert flyteadmin.of(name, *FRAUD) == WANTED[name, *FRAUD, ""]
    assert {key: flyteadmin.attributes[key] for key in others} == others


def test_a_project_is_registered_where_flyte_does_not_know_it(flyteadmin: Flyteadmin, run: Run) -> None:
    del flyteadmin.projects["fraud-detection"]
    assert run() == 0
    made = flyteadmin.projects["fraud-detection"]
    assert made["description"] == "fraud-detection@example.com answers for it"
    assert made["labels"] == {"values": {"aerodrome.io/owner": "fraud-detection_at_example.com"}}
    assert flyteadmin.of("workflow_execution_config", *FRAUD), "registered before anything is set for it"


def test_a_project_says_who_answers_for_it_and_keeps_its_other_labels(flyteadmin: Flyteadmin, run: Run) -> None:
    flyteadmin.projects["fraud-detection"]["labels"] = {"values": {"team": "42"}}
    run()
    labels = flyteadmin.projects["fraud-detection"]["labels"]
    assert labels == {"values": {"team": "42", "aerodrome.io/owner": "fraud-detection_at_example.com"}}


def test_a_project_of_the_environment_that_was_archived_is_there_again(flyteadmin: Flyteadmin, run: Run) -> None:
    flyteadmin.projects["fraud-detection"]["state"] = "ARCHIVED"
    assert run() == 0
    assert flyteadmin.projects["fraud-detection"]["state"] == "ACTIVE"
    assert flyteadmin.of("task_resource_attributes", *FRAUD)


def test_a_project_that_has_left_has_no_quota_and_keeps_the_rest(
    flyteadmin: Flyteadmin, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    capsys.readouterr()
    assert run(PROJECTS[1:]) == 0
    for domain in ("development", "production"):
        assert flyteadmin.of("cluster_resource_attributes", "fraud-detection", domain) == NOTHING
    assert flyteadmin.projects["fraud-detection"]["state"] == "ACTIVE", "its records are people's to put away"
    assert flyteadmin.of("workflow_execution_config", *FRAUD) == WANTED["workflow_execution_config", *FRAUD, ""]
    said = capsys.readouterr().out
    assert "project fraud-detection: not in the environment, so its quota is nothing; " in said
    assert "flytectl update project --id fraud-detection --archive" in said


def test_an_archived_project_that_has_left_is_let_be(flyteadmin: Flyteadmin, run: Run) -> None:
    flyteadmin.projects["fraud-detection"]["state"] = "ARCHIVED"
    assert run(PROJECTS[1:]) == 0
    assert not [path for _, path in flyteadmin.writes if "fraud-detection" in path]


def test_projects_beyond_the_first_page_are_seen(flyteadmin: Flyteadmin, run: Run) -> None:
    flyteadmin.projects |= {name: {"id": name, "name": name, "state": "ACTIVE"} for name in ("by-hand", "another")}
    flyteadmin.page = 1
    assert run() == 0
    for name in ("by-hand", "another"):
        assert flyteadmin.of("cluster_resource_attributes", name, "production") == NOTHING


def test_one_that_cannot_be_set_stops_no_other(
    flyteadmin: Flyteadmin, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    flyteadmin.broken = ("/api/v1/project_domain_attributes/fraud-detection/production",)
    assert run() == 1
    assert {key for key in WANTED if key[1:3] != FRAUD} < set(flyteadmin.attributes)
    lines = capsys.readouterr().out.splitlines()
    refused = [line for line in lines if line.startswith("fraud-detection in production")]
    assert [line.split(": ")[1] for line in refused] == list(KINDS)
    assert all("not set: " in line and "answered 500: " in line and "database is away" in line for line in refused)
    assert lines[-1].endswith("4 failed")


def test_a_kind_that_cannot_be_asked_for_stops_no_other(
    flyteadmin: Flyteadmin, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    flyteadmin.broken = ("/api/v1/matchable_attributes?resource_type=TASK_RESOURCE",)
    assert run() == 1
    assert {key for key in WANTED if key[0] != "task_resource_attributes"} < set(flyteadmin.attributes)
    assert "task_resource_attributes of all projects: not set: " in capsys.readouterr().out


def test_a_project_that_cannot_be_registered_stops_no_other(
    flyteadmin: Flyteadmin, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    del flyteadmin.projects["fraud-detection"]
    flyteadmin.broken = ("/api/v1/projects/fraud-detection",)
    assert run() == 1
    assert flyteadmin.of("workflow_execution_config", *FORECAST) == WANTED["workflow_execution_config", *FORECAST, ""]
    assert "project fraud-detection: not set: " in capsys.readouterr().out


def test_it_signs_on_as_the_client_of_flytes_own_components(flyteadmin: Flyteadmin, run: Run) -> None:
    run()
    ((form, authorization),) = flyteadmin.forms
    assert form == {"grant_type": ["client_credentials"], "scope": ["all"]}
    # Form-encoded before it is joined, as RFC 6749 asks: the secret's colon would end the client's ID.
    pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
    assert pair == "aerodrome-prod-services:s3cr%3At%2F%25"


def test_with_a_token_that_flyteadmin_refuses_it_says_so(
    flyteadmin: Flyteadmin, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    flyteadmin.token = "another"
    assert (run(), flyteadmin.writes) == (1, [])
    assert "nothing set: " in (said := capsys.readouterr().out)
    assert "answered 401" in said


def test_while_flyteadmin_is_away_it_fails_without_a_traceback(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(admin="http://127.0.0.1:1") == 1
    assert "refused" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("owner", "label"),
    [
        ("fraud@example.com", "fraud_at_example.com"),
        ("ml+fraud%eu@example.com", "ml_fraud_eu_at_example.com"),
        ("_team_@example.com", "team__at_example.com"),
        (f"{'a' * 62}.b@example.com", "a" * 62),
    ],
)
def test_an_owner_becomes_a_label_that_kubernetes_takes(owner: str, label: str) -> None:
    assert owner_label(owner) == label
