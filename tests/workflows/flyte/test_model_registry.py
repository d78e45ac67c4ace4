"""MLflow from a task: the client signs on with the pod's service account, and the example registers and loads a model.

MLflow's own client is asked here, and finds the plugin as it does in an image: by the entry point that pip writes down.
"""

import json
import os
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CLIENTS = ROOT / "clients"
EXAMPLE = "workflows/aerodrome_workflows/model_registry.py"

VERSION = {"model_version": {"name": "fraud-detection.card-fraud", "version": "7", "source": "s3://nowhere"}}

ASKS = """
from mlflow.tracking import MlflowClient

print(MlflowClient().get_model_version_by_alias("fraud-detection.card-fraud", "champion").version)
"""


@dataclass
class SignOnProxy:
    """Stands in front of MLflow as the platform's does: who has no token hears 401, who has a wrong one 403.

    Attributes:
        url: Where it listens.
        token: The token that it takes.
        heard: The ``Authorization`` header of each request, ``None`` where there was none.
    """

    url: str = ""
    token: str = "the-first-token"
    heard: list[str | None] = field(default_factory=list)

    def answer(self, authorization: str | None) -> tuple[int, str]:
        """The status and the body of the answer to a request, as OAuth2 Proxy's are (oauthproxy.go, jwt_session.go)."""
        self.heard.append(authorization)
        if authorization is None:
            return 401, "{}"
        if authorization != f"Bearer {self.token}":
            return 403, "Forbidden\n"
        return 200, json.dumps(VERSION)


@pytest.fixture
def proxy() -> Iterator[SignOnProxy]:
    """The proxy, listening on this machine alone."""
    found = SignOnProxy()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content = found.answer(self.headers.get("Authorization"))
            body = content.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing: the requests are what the tests look at."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pip writes down of clients/ beside the package."""
    project = tomllib.loads((CLIENTS / "pyproject.toml").read_text("utf-8"))["project"]
    site = tmp_path_factory.mktemp("site")
    folder = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: {project['version']}\n", "utf-8"
    )
    groups = [
        "\n".join([f"[{group}]", *(f"{name} = {target}" for name, target in entries.items())])
        for group, entries in project["entry-points"].items()
    ]
    (folder / "entry_points.txt").write_text("\n".join(groups), "utf-8")
    return site


Ask = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ask(installed: Path, proxy: SignOnProxy, token_file: Path) -> Ask:
    """Run a program with MLflow's client in a process of its own, as a task is."""

    def run(program: str = ASKS, **variables: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        own = {
            "PYTHONPATH": os.pathsep.join([str(CLIENTS), str(installed)]),
            "MLFLOW_TRACKING_URI": proxy.url,
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
            "AERODROME_MLFLOW_HOSTS": "127.0.0.1",
            "AERODROME_MLFLOW_TOKEN_FILE": str(token_file),
        }
        return subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=inherited | own | variables,
            check=False,
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture
def token_file(tmp_path: Path, proxy: SignOnProxy) -> Path:
    """The token of the service account, as Kubernetes writes it."""
    file = tmp_path / "token"
    file.write_text(f"{proxy.token}\n", encoding="ascii")
    return file


def test_a_task_signs_on_with_its_service_account(ask: Ask, proxy: SignOnProxy) -> None:
    done = ask()

    assert (done.returncode, done.stdout.strip()) == (0, "7"), done.stderr
    assert proxy.heard == ["Bearer the-first-token"]


def test_a_token_that_was_replaced_is_read_anew_and_a_wrong_one_refused(
    ask: Ask, proxy: SignOnProxy, token_file: Path
) -> None:
    replaces = f"""
import pathlib
from mlflow.tracking import MlflowClient

client = MlflowClient()
client.get_model_version_by_alias("m", "a")
pathlib.Path({str(token_file)!r}).write_text("somebody-elses-token")
client.get_model_version_by_alias("m", "a")
"""
    done = ask(replaces)

    assert proxy.heard == ["Bearer the-first-token", "Bearer somebody-elses-token"]
    assert done.returncode != 0
    assert "failed with error code 403" in done.stderr


def test_without_a_token_nothing_is_sent(ask: Ask, proxy: SignOnProxy, token_file: Path) -> None:
    token_file.unlink()
    done = ask()

    assert done.returncode != 0
    assert "RestException" in done.stderr
    assert proxy.heard == [None]


def test_no_other_server_gets_the_token(ask: Ask, proxy: SignOnProxy) -> None:
    # The platform's names stand where none are given, and this machine has none of them.
    ask(AERODROME_MLFLOW_HOSTS="")

    assert proxy.heard == [None]


def test_a_server_that_the_code_turns_to_gets_no_token_either(ask: Ask, proxy: SignOnProxy) -> None:
    turns = f"import mlflow\nmlflow.set_tracking_uri({proxy.url!r})\n{ASKS}"
    ask(turns, AERODROME_MLFLOW_HOSTS="mlflow.mlflow", MLFLOW_TRACKING_URI="http://mlflow.mlflow")

    assert proxy.heard == [None]


def test_the_clients_own_sign_on_comes_first(ask: Ask, proxy: SignOnProxy) -> None:
    ask(MLFLOW_TRACKING_TOKEN="from-the-issuer")

    assert proxy.heard == ["Bearer from-the-issuer"]


def test_the_example_registers_a_model_and_loads_it_by_its_alias(
    pyflyte: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A folder stands for the server: MLflow's client works with both.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "registry").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    versions = []
    for least in ("0.5", "1.1"):
        done = pyflyte("run", EXAMPLE, "register_and_score", "--least_accuracy", least)
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert 0 < float(lines[-1]) < 400
        versions.append(next(line for line in lines if line.startswith("scoring")))

    # The second is not good enough, whatever it is: the first stays in use.
    assert versions == ["scoring with version 1"] * 2
