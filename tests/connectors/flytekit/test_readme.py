"""What the package's README shows is what there is."""

import fnmatch
import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import yaml
from pydantic import BaseModel

from flytekit_aws_batch import config
from flytekit_aws_batch.core import events, plan, settings
from tests.connectors.flytekit.laptop import ROOT

FOLDER = ROOT / "connectors" / "flytekit_aws_batch"
README = (FOLDER / "README.md").read_text("utf-8")

# As botocore's clients name them, wherever they are called.
_CALLED = re.compile(r'"(batch|ecr|iam|logs|s3|secretsmanager|sqs)",\s+"([a-z0-9_]+)"')
# What operations need, where that is called otherwise; those of SQS for many at once need what those for one do.
_NEEDS = {"HeadObject": "GetObject", "CopyObject": "PutObject", "ListObjectsV2": "ListBucket"}
_SERVICES = {"sqs"}


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", README, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def called() -> Iterator[str]:
    for path in sorted((FOLDER / "flytekit_aws_batch").rglob("*.py")):
        for service, operation in _CALLED.findall(path.read_text("utf-8")):
            if operation in _SERVICES:
                continue
            title = "".join(word.capitalize() for word in operation.split("_"))
            yield f"{service}:{_NEEDS.get(title, title.removesuffix('Batch'))}"


def test_the_settings_have_every_key() -> None:
    shown = yaml.safe_load(next(block for block in blocks("yaml") if "queues:" in block))
    settings.Settings.model_validate(shown)

    def keys(model: type[BaseModel]) -> set[str]:
        return set(model.model_fields)

    assert set(shown) == keys(settings.Settings)
    assert set(shown["queues"]["*"][0]) == keys(settings.Queue)
    assert set(shown["limits"]) == keys(settings.Limits)
    assert set(shown["file_systems"]["shared"]) == keys(settings.FileSystem)


def test_the_settings_that_are_no_examples_are_the_defaults() -> None:
    block = next(block for block in blocks("yaml") if "queues:" in block)
    examples = {line.partition(":")[0] for line in block.splitlines() if "e. g." in line}
    shown = {name: value for name, value in yaml.safe_load(block).items() if name not in examples}
    assert len(shown) > 8, "the listing is broken"
    defaults = settings.Settings().model_dump(mode="json")
    assert {name: value for name, value in shown.items() if defaults[name] != value} == {
        # What is worked out from the region.
        "console": "https://eu-west-1.console.aws.amazon.com"
    }


def test_the_policy_allows_what_is_called() -> None:
    # Beside it there are a trust policy, a queue's policy and the pattern of a rule.
    (policy,) = [json.loads(block) for block in blocks("json") if "batch:SubmitJob" in block]
    allowed = {
        action
        for statement in policy["Statement"]
        for action in (
            statement["Action"] if isinstance(statement["Action"], list) else cast("list[str]", [statement["Action"]])
        )
    }
    needed = set(called())
    assert {"batch:DescribeJobQueues", "iam:GetRole", "s3:PutObject"} <= needed, "the listing is broken"
    assert needed - allowed == set()
    # What encrypted buckets and queues need beside, in the name of who calls S3 and SQS.
    assert {"kms:Decrypt", "kms:GenerateDataKey"} <= allowed


def test_jobs_cannot_write_what_the_connector_acts_on_and_can_what_they_leave() -> None:
    (statement,) = next(each["Statement"] for each in map(json.loads, blocks("json")) if '"Deny"' in json.dumps(each))
    assert statement["Action"] == ["s3:DeleteObject*", "s3:PutObject*"]
    outputs = "s3://acme-flyte-metadata/metadata/propeller/f3a9/n0/data/0"

    def denied(url: str) -> bool:
        return fnmatch.fnmatchcase(url.replace("s3://", "arn:aws:s3:::"), statement["Resource"])

    assert all(denied(f"{plan.folder_of(outputs)}/{name}") for name in ("plan.json", plan.wave_name(0), "stopped"))
    assert not any(denied(f"{place}/error.pb") for place in (outputs, f"{outputs}/7", config.node_prefix(outputs, 1)))


def test_the_rule_sends_the_events_that_the_connector_reads_and_the_queue_takes_them() -> None:
    shown = [json.loads(block) for block in blocks("json")]
    (rule,) = [each for each in shown if "detail-type" in each]
    assert rule["detail-type"] == [events.STATE_CHANGE]
    (definitions,) = rule["detail"]["jobDefinition"]
    assert definitions["prefix"].endswith(f":job-definition/{settings.Settings().definition_prefix}")
    (statement,) = next(each["Statement"] for each in shown if "sqs:SendMessage" in json.dumps(each))
    _, _, rest = statement["Resource"].partition(":sqs:")
    (queue,) = re.findall(r"^events_queue: https://sqs\.(\S+)\.amazonaws\.com/(\d+)/(\S+)", _settings(), re.MULTILINE)
    assert rest == ":".join(queue)


def _settings() -> str:
    return next(block for block in blocks("yaml") if "queues:" in block)


@pytest.mark.parametrize("version", re.findall(r"flytekit_aws_batch-([\d.]+)-py3", README))
def test_the_wheel_is_named_as_it_is_built(version: str) -> None:
    assert version == tomllib.loads((FOLDER / "pyproject.toml").read_text("utf-8"))["project"]["version"]


@pytest.mark.parametrize("block", blocks("python"))
def test_the_examples_are_tasks(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "example.py"
    module.write_text(block)
    spec = importlib.util.spec_from_file_location("example", module)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "example", example)
    spec.loader.exec_module(example)
    assert {"score_one", "align", "churn"} & set(vars(example))


def test_what_a_service_without_its_extra_says_is_shown(tmp_path: Path) -> None:
    shown = re.search(r"only with the extra `connector` \(else: `([^`]+)`", " ".join(README.split()))
    (tmp_path / "httpx.py").write_text("raise ModuleNotFoundError(\"No module named 'httpx'\")")
    started = subprocess.run(
        [Path(sys.executable).with_name("pyflyte"), "serve", "connector"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert shown
    # In a frame of its own width, in whichever of the two pyflyte writes it.
    assert f"ImportError: {shown[1]}" in " ".join((started.stdout + started.stderr).split())
