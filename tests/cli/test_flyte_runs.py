"""``aerodrome local flyte``: what it makes of the Helm releases that an embedded AWS has recorded."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from aerodrome import flyte_runs
from aerodrome.embedded_aws import EmbeddedAwsError
from aerodrome.main import app
from flytekit_aws_batch.core.settings import VARIABLE, Settings

ENDPOINT = "http://127.0.0.1:4566"
SETTINGS = {
    "region": "us-east-1",
    "queues": {"development": [{"arn": "arn:aws:batch:us-east-1:111122223333:job-queue/q-spot", "kind": "spot"}]},
    "events_queue": "https://sqs.us-east-1.amazonaws.com/111122223333/aerodrome-dev-batch-events",
    "freshest_seconds": 2,
}


def release(name: str, *, cluster: str = "aerodrome-dev", **more: object) -> dict[str, Any]:
    found: dict[str, Any] = {
        "account": "111122223333",
        "region": "us-east-1",
        "cluster": cluster,
        "release": name,
        "values": {},
    }
    return {**found, "rendered": {"done": True, "reason": None, "manifest": ""}, **more}


def connector(cluster: str = "aerodrome-dev") -> dict[str, Any]:
    manifests = [
        {"kind": "ConfigMap", "metadata": {"name": "another"}, "data": {}},
        {
            "kind": "ConfigMap",
            "metadata": {"name": "connector-aws-batch"},
            "data": {"settings.yaml": yaml.safe_dump(SETTINGS)},
        },
    ]
    manifest = "---\n# Source: templates/nothing.yaml\n---\n" + yaml.safe_dump_all(manifests)
    return release("aerodrome-flyte", cluster=cluster, rendered={"done": True, "reason": None, "manifest": manifest})


def projects(cluster: str = "aerodrome-dev", **domains: tuple[str, ...]) -> dict[str, Any]:
    def settings(project: str, domain: str) -> Mapping[str, object]:
        prefix = f"s3://raw/{project}/{domain}"
        return {"workflow_execution_config": {"raw_output_data_config": {"output_location_prefix": prefix}}}

    named = [
        {"name": project, "domains": {domain: settings(project, domain) for domain in of}}
        for project, of in domains.items()
    ]
    return release("aerodrome-projects", cluster=cluster, values={"reconciler": {"projects": named}})


RELEASES = [connector(), projects(fraud=("development", "staging"), demand=("development",))]


def test_the_first_project_is_taken_with_the_settings_of_the_platforms_connector() -> None:
    runs = flyte_runs.of_releases(RELEASES, ENDPOINT)
    assert (runs.project, runs.domain, runs.raw_output) == ("fraud", "development", "s3://raw/fraud/development")
    assert (runs.aws.endpoint, runs.aws.account, runs.aws.region) == (ENDPOINT, "111122223333", "us-east-1")
    assert runs.settings["queues"] == SETTINGS["queues"]


def test_another_project_and_domain_are_taken_when_they_are_named() -> None:
    runs = flyte_runs.of_releases(RELEASES, ENDPOINT, project="fraud", domain="staging")
    assert runs.raw_output == "s3://raw/fraud/staging"
    assert flyte_runs.of_releases(RELEASES, ENDPOINT, project="demand").raw_output == "s3://raw/demand/development"


def test_the_platforms_own_connector_is_told_of_jobs_and_this_one_asks(tmp_path: Path) -> None:
    config = flyte_runs.of_releases(RELEASES, ENDPOINT).write(tmp_path / "flyte")
    settings = Settings.load({VARIABLE: str(config)})
    assert settings.events_queue is None
    assert settings.freshest_seconds < 1
    (queue,) = settings.queues_of("development")
    assert queue.name == "q-spot"


def test_the_variables_lead_the_connector_and_its_jobs_to_the_embedded_aws(tmp_path: Path) -> None:
    variables = flyte_runs.of_releases(RELEASES, ENDPOINT).variables(tmp_path / "connector.yaml")
    assert variables[VARIABLE] == str(tmp_path / "connector.yaml")
    assert {name: variables[name] for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_REGION")} == {
        "AWS_ENDPOINT_URL": ENDPOINT,
        "AWS_ACCESS_KEY_ID": "111122223333",
        "AWS_REGION": "us-east-1",
    }
    assert (variables["FLYTE_AWS_BATCH_PROJECT"], variables["FLYTE_AWS_BATCH_DOMAIN"]) == ("fraud", "development")
    assert variables["AERODROME_RAW_OUTPUT"] == "s3://raw/fraud/development"
    assert "PATH" not in variables, "a shell keeps its own"


@pytest.mark.parametrize(
    ("releases", "asked", "told"),
    [
        ([], {}, "no platform with Flyte is deployed there: `make try` deploys one"),
        ([connector()], {}, "no platform with Flyte is deployed there"),
        (RELEASES, {"env": "prod"}, "--env prod: it is not deployed; name one of: dev"),
        (
            [*RELEASES, connector("aerodrome-prod"), projects("aerodrome-prod", fraud=("production",))],
            {},
            "several environments are deployed; name one of: dev, prod",
        ),
        (RELEASES, {"project": "churn"}, "churn: no project in aerodrome-dev; there are: fraud, demand"),
        (
            RELEASES,
            {"project": "demand", "domain": "staging"},
            "staging: no domain of demand in aerodrome-dev; there are: development",
        ),
        (
            [release("aerodrome-flyte"), RELEASES[1]],
            {},
            "aerodrome-dev has no connector for AWS Batch: give flyte.batch_connector an image",
        ),
        (
            [release("aerodrome-flyte", rendered={"done": False, "reason": "there is no helm"}), RELEASES[1]],
            {},
            "the manifests of aerodrome-flyte are not known: there is no helm",
        ),
    ],
)
def test_what_is_in_the_way_is_told(releases: list[dict[str, Any]], asked: dict[str, str], told: str) -> None:
    with pytest.raises(EmbeddedAwsError) as error:
        flyte_runs.of_releases(releases, ENDPOINT, **asked)
    assert str(error.value).startswith(told)


def test_of_several_environments_one_is_named() -> None:
    both = [*RELEASES, connector("aerodrome-prod"), projects("aerodrome-prod", fraud=("production",))]
    assert flyte_runs.of_releases(both, ENDPOINT, env="prod").domain == "production"


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An embedded AWS that answers as one with the platform does."""
    answers = {"releases": json.dumps(RELEASES), "status": json.dumps({"endpoint": ENDPOINT})}
    monkeypatch.setattr(flyte_runs, "run_embedded_aws", lambda verb, *_: answers[verb])


@pytest.mark.usefixtures("deployed")
def test_a_shell_takes_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state_dir = tmp_path / "it's here" / "local"
    monkeypatch.setenv("AWS_PROFILE", "work")

    result = CliRunner().invoke(app, ["local", "flyte", "--state-dir", str(state_dir)])

    assert (result.exit_code, result.stderr) == (0, "")
    script = f'{result.stdout}\necho "$AWS_PROFILE|$FLYTEKIT_AWS_BATCH_CONFIG|$AERODROME_RAW_OUTPUT"'
    done = subprocess.run(
        ["/bin/sh", "-eu"],
        input=script.replace("AWS_PROFILE|", "{AWS_PROFILE-}|"),
        text=True,
        capture_output=True,
        check=True,
    )
    profile, config, raw_output = done.stdout.strip().split("|")
    assert (profile, raw_output) == ("", "s3://raw/fraud/development")
    assert Settings.read(Path(config)).queues_of("development")


@pytest.mark.usefixtures("deployed")
def test_a_program_gets_json(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["local", "flyte", "--state-dir", str(tmp_path / "local"), "--json"])
    assert result.exit_code == 0
    assert Path(json.loads(result.stdout)["FLYTEKIT_AWS_BATCH_CONFIG"]).is_file()


def test_where_it_is_down_a_line_says_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["local", "flyte", "--state-dir", str(tmp_path / "local")])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "aerodrome: the embedded AWS is down: start it with `aerodrome local up`\n"
