"""The pages about jobs say what holds: their examples are made, and their tables have every field."""

import json
import re
import shlex
import subprocess
from dataclasses import MISSING, fields
from typing import Final

import botocore.session
import pytest
from botocore.model import StructureShape

from aerodrome_constructs.batch import Container, Platform
from aerodrome_stacks import job_catalogue
from aerodrome_stacks.batch_queues import Kind, queue_name
from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.job_catalogue import CATALOGUE, JobKind, SecretField
from aerodrome_stacks.jobs_stack import definition_name, submit_policy_name
from aerodrome_stacks.names import jobs_log_group
from aerodrome_stacks.project_roles import project_tags
from aerodrome_workflows.train_classifier import train
from tests.stacks.test_jobs import definitions, stack_of
from tests.templates import ROOT

PROJECT: Final = "fraud-detection"
DOMAIN: Final = "development"


@pytest.fixture
def scene() -> Environment:
    return load_environment("dev", ROOT / "environments")


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of a page in a language, without the indent of the list that they are in."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    assert found, f"there is no {language}"
    return ["".join(line.removeprefix(indent) for line in block.splitlines(keepends=True)) for indent, block in found]


def test_the_entry_of_the_page_becomes_a_job_of_every_project(scene: Environment) -> None:
    (entry,) = blocks(page("how-to/add-a-job.md"), "python")
    namespace = dict(vars(job_catalogue))
    exec(compile(entry, "add-a-job.md", "exec"), namespace)  # noqa: S102 - the page's own code
    catalogue = namespace["CATALOGUE"]
    (added,) = [job for job in catalogue if job not in CATALOGUE]
    assert list(catalogue) == [*CATALOGUE, added], "the page names the catalogue as it is"
    ports, stacks = stack_of(scene, catalogue)
    job = definitions(stacks)[ports.definition_names[PROJECT, DOMAIN, added.name]]
    assert job["ContainerProperties"]["Command"][:3] == ["python", "-m", "score"]
    (secret,) = job["ContainerProperties"]["Secrets"]
    name, field = secret["ValueFrom"].partition(":secret:")[2].split(":")[:2]
    assert f"create-secret --name {name} " in page("how-to/add-a-job.md")
    assert field == "password"


def test_the_errors_of_the_page_are_those_that_are_said() -> None:
    (said,) = blocks(page("how-to/add-a-job.md"), "text")
    job = job_catalogue.TRAIN_CLASSIFIER.container
    with pytest.raises(ValueError, match=r"^job score: ") as refused:
        JobKind(
            name="score",
            container=Container(
                image=job.image,
                command=["true"],
                platform=Platform.FARGATE,
                vcpus=0.25,
                memory_mib=4096,
                timeout=job.timeout,
                attempts=20,
            ),
        )
    assert sorted(str(refused.value).splitlines()) == sorted(said.strip().splitlines())


def test_the_names_of_the_page_are_those_of_the_project(scene: Environment) -> None:
    text = page("how-to/submit-a-job.md")
    (share,) = [project.share_identifier for project in scene.projects if project.name == PROJECT]
    for name in (
        definition_name(scene, PROJECT, DOMAIN, "train-classifier"),
        queue_name(scene, DOMAIN, Kind.SPOT),
        jobs_log_group(scene, PROJECT, DOMAIN),
        submit_policy_name(scene, PROJECT, DOMAIN),
        f"--share-identifier {share} ",
        "--tags " + ",".join(f"{key}={value}" for key, value in project_tags(PROJECT, DOMAIN).items()),
    ):
        assert name in text, name


def test_the_cli_takes_the_options_of_the_page() -> None:
    (command,) = [
        found.group()
        for block in blocks(page("how-to/submit-a-job.md"), "console")
        for found in re.finditer(r"aws batch submit-job(?:.*\\\n)*.*", block)
    ]
    shape = botocore.session.get_session().get_service_model("batch").operation_model("SubmitJob").input_shape
    assert isinstance(shape, StructureShape)
    options = {re.sub(r"(?<=[a-z])([A-Z])", r"-\1", name).lower() for name in shape.members}
    given = set(re.findall(r"--([a-z-]+)", command))
    assert given
    assert given <= options
    required = {re.sub(r"(?<=[a-z])([A-Z])", r"-\1", name).lower() for name in shape.required_members}
    assert required <= given


def output(command: str, given: str = "") -> str:
    """What a command of a page prints, without a shell."""
    return subprocess.run(shlex.split(command), input=given, capture_output=True, text=True, check=True).stdout


def test_the_file_of_the_page_is_one_that_the_job_trains_on() -> None:
    (command,) = re.findall(r"^\$ (awk .*) > october.csv$", page("how-to/submit-a-job.md"), re.MULTILINE)
    _, metrics = train(output(command))
    assert metrics["rows"] == 400
    assert metrics["roc_auc"] > 0.7


def test_the_manifest_of_the_page_has_a_line_for_each_object() -> None:
    (command,) = re.findall(
        r"\| (python3 .*) > manifest.jsonl$", page("how-to/process-arriving-objects.md"), re.MULTILINE
    )
    objects = [{"key": 'a "quoted" key', "version": "1"}, {"key": "fraud-detection/ä.csv", "version": "2"}]
    assert [json.loads(line) for line in output(command, json.dumps(objects)).splitlines()] == objects


@pytest.mark.parametrize("kind", [JobKind, Container, SecretField], ids=lambda kind: kind.__name__)
def test_the_reference_has_every_field_and_says_what_is_if_it_is_left_out(kind: type) -> None:
    text = page("reference/jobs.md")
    section = text.partition(f"## `{kind.__name__}`")[2].partition("\n## ")[0]
    rows = {
        cells[0].strip("` "): cells[-1].strip()
        for line in section.splitlines()
        if line.startswith("| `")
        for cells in [line.strip("|").split("|")]
    }
    described = {
        field.name: field.default is not MISSING or field.default_factory is not MISSING for field in fields(kind)
    }
    assert {name: bool(left_out) for name, left_out in rows.items()} == described
