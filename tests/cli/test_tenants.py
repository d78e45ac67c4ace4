"""``aerodrome tenants``: who has what."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aerodrome.main import app
from aerodrome.tenants import tenants_of
from aerodrome_stacks.chart_values.flyte_projects import team_namespaces, template_values
from aerodrome_stacks.environment import Environment, load_environment

ENVIRONMENTS = Path(__file__).parents[2] / "environments"


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE"):  # where the tests run, they may make a terminal of everything
        monkeypatch.delenv(variable, raising=False)


def tenants(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["tenants", *arguments])


@pytest.fixture
def prod() -> Environment:
    """Where churn-prediction uses demand-forecast."""
    return load_environment("prod", ENVIRONMENTS)


def test_it_says_what_each_project_has() -> None:
    result = tenants("-e", "prod")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "prod: account 777788889999 in us-east-1"
    start = lines.index(
        "  churn-prediction: customer-insight@example.com; 1 of 4 shares of AWS Batch, $500 a day",
    )
    found = {line[4:25].strip(): line[25:].strip() for line in lines[start + 1 :]}
    assert found == {
        "production namespace": "churn-prediction-production",
        "production quota": "96 vCPUs, 384 GiB for all pods",
        "production one task": "15 vCPUs, 116 GiB as a pod; 96 vCPUs, 384 GiB on AWS Batch",
        "production role": "aerodrome-prod-churn-prediction-production",
        "production objects": "churn-prediction/production/ in the buckets of raw data, metadata, Batch input "
        "and Batch output",
        "production queues": "aerodrome-prod-flyte-production-spot for Flyte; aerodrome-prod-production-spot, "
        "aerodrome-prod-production-on-demand, aerodrome-prod-production-arm, aerodrome-prod-production-arm-on-demand, "
        "aerodrome-prod-production-gpu, aerodrome-prod-production-gpu-on-demand, aerodrome-prod-production-fargate, "
        "aerodrome-prod-production-fargate-on-demand",
        "production logs": "/aerodrome/prod/kubernetes/churn-prediction-production, "
        "/aerodrome/prod/jobs/churn-prediction-production",
        "production uses": "what demand-forecast registered",
    }


def test_who_is_used_sees_by_whom(prod: Environment) -> None:
    used = {tenant.project: tenant.domains["production"].used_by for tenant in tenants_of(prod)}
    assert used == {"fraud-detection": [], "demand-forecast": ["churn-prediction"], "churn-prediction": []}


def test_a_project_uses_another_only_where_both_are(prod: Environment) -> None:
    fraud, forecast, churn = prod.projects
    elsewhere = forecast.model_copy(update={"domains": {"staging": forecast.domains["production"]}})
    changed = prod.model_copy(update={"projects": (fraud, elsewhere, churn)})
    assert [place.uses for tenant in tenants_of(changed) for place in tenant.domains.values()] == [[], [], []]


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_it_says_what_kubernetes_is_told(name: str) -> None:
    environment = load_environment(name, ENVIRONMENTS)
    namespaces = team_namespaces(environment)["namespaces"]
    assert isinstance(namespaces, dict)
    places = [place for tenant in tenants_of(environment) for place in tenant.domains.values()]
    assert {place.namespace for place in places} == {key for key, value in namespaces.items() if "quota" in value}
    for project in environment.projects:
        (tenant,) = [tenant for tenant in tenants_of(environment) if tenant.project == project.name]
        for domain, quota in project.domains.items():
            pod = tenant.domains[domain].largest_pod
            values = template_values(environment, quota)
            assert (str(pod.cpu), f"{pod.memory_gib}Gi") == (values["containerMaxCpu"], values["containerMaxMemory"])


def test_a_program_gets_json() -> None:
    result = tenants("-e", "dev", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    assert list(document) == ["dev"]
    fraud, forecast = document["dev"]["projects"]
    assert (fraud["project"], fraud["owner"], fraud["batch_daily_usd"]) == ("fraud-detection", "fraud@example.com", 50)
    place = forecast["domains"]["development"]
    assert place["role"] == "aerodrome-dev-demand-forecast-development"
    assert place["quota"] == {"cpu": 16, "memory_gib": 64, "gpu": 0}
    assert place["prefix"] == "demand-forecast/development/"
    assert place["logs"]["pods"] == "/aerodrome/dev/kubernetes/demand-forecast-development"


def test_all_environments_are_told_where_none_is_named() -> None:
    heads = [line.partition(":")[0] for line in tenants().stdout.splitlines() if not line.startswith(" ")]
    assert heads == ["dev", "prod", "staging"]
    assert list(json.loads(tenants("--json").stdout)) == heads


def test_an_environment_that_is_not_there_is_told() -> None:
    result = tenants("-e", "moon")
    assert (result.exit_code, result.stdout) == (2, "")
    assert 'no environment is called "moon"' in result.stderr


def test_on_a_terminal_it_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    lines = tenants("-e", "dev").stdout.splitlines()
    assert any("╭" in line for line in lines)
    assert any("│" in line and "aerodrome-dev-fraud-detection-development" in line for line in lines)


def test_it_starts_without_the_cdk() -> None:
    code = "import sys, aerodrome.tenants; print('aws_cdk' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n", "the CDK starts a process of Node.js, for nothing here"
