"""The program of ``charts/aerodrome-projects`` against a flyteadmin that answers as flyteadmin v1.16.8 does."""

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from aerodrome_stacks.chart_values.raw_output_handler.program import main

ATTRIBUTES = "/api/v1/project_domain_attributes/"


@dataclass
class Flyteadmin:
    """What flyteadmin keeps, and what it was asked.

    Attributes:
        url: Where it listens.
        configs: The workflow execution configs by project and domain. An empty domain: of the whole project.
        projects: The projects that it knows.
        token: The token that it wants. None: there is no sign-on.
        puts: How often something was put.
        forms: What the token's endpoint was sent, with its ``Authorization`` header.
    """

    url: str = ""
    configs: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    projects: frozenset[str] = frozenset({"fraud-detection", "demand-forecast"})
    token: str | None = None
    puts: int = 0
    forms: list[tuple[dict[str, list[str]], str]] = field(default_factory=list)

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        if path == "/.well-known/oauth-authorization-server":
            return 200, {"issuer": self.url, "token_endpoint": f"{self.url}/token"}
        if path == "/config/v1/flyte_client":
            return 200, {"client_id": "flytectl", "scopes": ["all"], "authorization_metadata_key": "", "audience": ""}
        project, domain = path.removeprefix(ATTRIBUTES).split("/")
        for key in ((project, domain), (project, "")):  # the most specific that there is
            if key in self.configs:
                attributes = {"workflow_execution_config": self.configs[key]}
                found = {"project": key[0], "domain": key[1], "matching_attributes": attributes, "org": ""}
                return 200, {"attributes": found}
        return 404, {"code": 5, "message": f"Resource [{project} {domain}] not found"}

    def put(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        project, domain = path.removeprefix(ATTRIBUTES).split("/")
        attributes = body["attributes"]
        assert (attributes["project"], attributes["domain"]) == (project, domain)
        if project not in self.projects:
            return 404, {"code": 5, "message": f"project [{project}] not found"}
        self.puts += 1
        self.configs[project, domain] = attributes["matching_attributes"]["workflow_execution_config"]
        return 200, {}


class Handler(BaseHTTPRequestHandler):
    """flyteadmin over HTTP."""

    admin: Flyteadmin

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path.startswith(ATTRIBUTES):
            assert parse_qs(parts.query) == {"resource_type": ["WORKFLOW_EXECUTION_CONFIG"]}
            if not self._is_signed_on():
                return
        self._answer(*self.admin.get(parts.path))

    def do_PUT(self) -> None:
        if self._is_signed_on():
            self._answer(*self.admin.put(self.path, json.loads(self._body())))

    def do_POST(self) -> None:
        assert self.path == "/token"
        self.admin.forms.append((parse_qs(self._body().decode()), self.headers["Authorization"]))
        self._answer(200, {"access_token": self.admin.token, "token_type": "bearer"})

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _is_signed_on(self) -> bool:
        if self.admin.token is None or self.headers["Authorization"] == f"Bearer {self.admin.token}":
            return True
        self._answer(401, {"code": 16, "message": "token parse error"})
        return False

    def _answer(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def flyteadmin() -> Iterator[Flyteadmin]:
    """A flyteadmin on 127.0.0.1."""
    admin = Flyteadmin()

    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OneFlyteadmin", (Handler,), {"admin": admin}))
    admin.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield admin
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run(flyteadmin: Flyteadmin, tmp_path: Path) -> Any:  # noqa: ANN401 - a function with optional keywords
    """Run the program for prefixes by project and domain, and return its exit status."""

    def run(prefixes: dict[tuple[str, str], str], **sign_on: str) -> int:
        entries = [
            {"project": project, "domain": domain, "prefix": prefix, "role": role(project, domain)}
            for (project, domain), prefix in prefixes.items()
        ]
        settings = tmp_path / "settings.json"
        settings.write_text(json.dumps({"admin": flyteadmin.url, "prefixes": entries, **sign_on}))
        return main([str(settings)])

    return run


FRAUD = ("fraud-detection", "production")
FORECAST = ("demand-forecast", "production")
PREFIXES = {FRAUD: "s3://raw/fraud-detection/production", FORECAST: "s3://raw/demand-forecast/production"}


def role(project: str, domain: str) -> str:
    return f"arn:aws:iam::111122223333:role/aerodrome-prod-{project}-{domain}"


def prefix_of(config: dict[str, Any]) -> str:
    return str(config["raw_output_data_config"]["output_location_prefix"])


def role_of(config: dict[str, Any]) -> str:
    return str(config["security_context"]["run_as"]["iam_role"])


def test_each_project_gets_its_prefix_and_its_role(flyteadmin: Flyteadmin, run: Any) -> None:  # noqa: ANN401 - see the fixture
    assert run(PREFIXES) == 0
    assert {key: prefix_of(config) for key, config in flyteadmin.configs.items()} == PREFIXES
    assert {key: role_of(config) for key, config in flyteadmin.configs.items()} == {key: role(*key) for key in PREFIXES}


def test_a_second_run_changes_nothing(flyteadmin: Flyteadmin, run: Any) -> None:  # noqa: ANN401 - see the fixture
    run(PREFIXES)
    assert (run(PREFIXES), flyteadmin.puts) == (0, len(PREFIXES))


def test_what_was_set_back_is_mended(flyteadmin: Flyteadmin, run: Any) -> None:  # noqa: ANN401 - see the fixture
    flyteadmin.configs[FRAUD] = {"raw_output_data_config": {"output_location_prefix": "s3://raw/elsewhere"}}
    flyteadmin.configs[FORECAST] = {
        "raw_output_data_config": {"output_location_prefix": PREFIXES[FORECAST]},
        "security_context": {"run_as": {"iam_role": role("fraud-detection", "production")}},
    }
    run(PREFIXES)
    assert {key: prefix_of(config) for key, config in flyteadmin.configs.items()} == PREFIXES
    assert role_of(flyteadmin.configs[FORECAST]) == role(*FORECAST)


def test_what_else_an_operator_has_set_stays(flyteadmin: Flyteadmin, run: Any) -> None:  # noqa: ANN401 - see the fixture
    # flyteadmin answers with every field, those that nobody set too.
    flyteadmin.configs[FRAUD] = {"max_parallelism": 7, "security_context": None, "raw_output_data_config": None}
    run(PREFIXES)
    assert flyteadmin.configs[FRAUD]["max_parallelism"] == 7


def test_pods_keep_the_service_account_that_an_operator_has_chosen(flyteadmin: Flyteadmin, run: Any) -> None:  # noqa: ANN401 - see the fixture
    chosen = {"k8s_service_account": "trainer", "iam_role": "", "oauth2_client": None, "execution_identity": ""}
    flyteadmin.configs[FRAUD] = {"security_context": {"run_as": chosen, "secrets": [], "tokens": []}}
    run(PREFIXES)
    assert flyteadmin.configs[FRAUD]["security_context"] == {
        "run_as": {**chosen, "iam_role": role(*FRAUD)},
        "secrets": [],
        "tokens": [],
    }


def test_it_chooses_no_service_account_for_pods(flyteadmin: Flyteadmin, run: Any) -> None:  # noqa: ANN401 - see the fixture
    # With one, flytepropeller would not leave a pod to its namespace's default.
    run(PREFIXES)
    assert flyteadmin.configs[FRAUD]["security_context"] == {"run_as": {"iam_role": role(*FRAUD)}}


def test_what_holds_for_the_whole_project_is_not_copied_to_a_domain(flyteadmin: Flyteadmin, run: Any) -> None:  # noqa: ANN401 - see the fixture
    # flyteadmin merges both itself; a copy would stay behind when the project's own changes.
    flyteadmin.configs["fraud-detection", ""] = {"max_parallelism": 7}
    run(PREFIXES)
    assert flyteadmin.configs[FRAUD] == {
        "raw_output_data_config": {"output_location_prefix": PREFIXES[FRAUD]},
        "security_context": {"run_as": {"iam_role": role(*FRAUD)}},
    }


def test_a_project_that_is_not_there_yet_stops_no_other(
    flyteadmin: Flyteadmin,
    run: Any,  # noqa: ANN401 - see the fixture
    capsys: pytest.CaptureFixture[str],
) -> None:
    flyteadmin.projects = frozenset({"demand-forecast"})
    assert run(PREFIXES) == 1
    assert set(flyteadmin.configs) == {FORECAST}
    assert "fraud-detection in production: not set" in capsys.readouterr().out


def test_with_sign_on_it_gets_a_token_as_flytepropeller_does(
    flyteadmin: Flyteadmin,
    run: Any,  # noqa: ANN401 - see the fixture
    tmp_path: Path,
) -> None:
    flyteadmin.token = "a-token"
    secret = tmp_path / "client_secret"
    secret.write_text("s3cr:t/%\n")
    assert run(PREFIXES, client_id="aerodrome-prod", client_secret_file=str(secret)) == 0
    assert set(flyteadmin.configs) == set(PREFIXES)
    ((form, authorization),) = flyteadmin.forms
    assert form == {"grant_type": ["client_credentials"], "scope": ["all"]}
    # Form-encoded before it is joined, as RFC 6749 asks: the secret's colon would end the client's ID.
    assert base64.b64decode(authorization.removeprefix("Basic ")).decode() == "aerodrome-prod:s3cr%3At%2F%25"


def test_without_a_token_it_says_so(
    flyteadmin: Flyteadmin,
    run: Any,  # noqa: ANN401 - see the fixture
    capsys: pytest.CaptureFixture[str],
) -> None:
    flyteadmin.token = "a-token"
    assert run(PREFIXES) == 1
    assert "answered 401" in capsys.readouterr().out


def test_while_flyteadmin_is_away_it_fails_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "settings.json"
    entry = {"project": FRAUD[0], "domain": FRAUD[1], "prefix": PREFIXES[FRAUD], "role": role(*FRAUD)}
    settings.write_text(json.dumps({"admin": "http://127.0.0.1:1", "prefixes": [entry]}))
    assert main([str(settings)]) == 1
    assert "refused" in capsys.readouterr().out
