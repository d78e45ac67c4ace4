"""``aerodrome mirror --push``: what is published elsewhere is afterwards in the repositories of the Images stack."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from typer.testing import CliRunner, Result

from aerodrome.main import app
from aerodrome.mirror import command
from aerodrome.mirror.items import Item, items
from aerodrome.project import Project
from aerodrome_local.deploy import deploy_assembly
from aerodrome_local.testing import EmbeddedAws
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.document import parse
from aerodrome_stacks.environment.load import validate
from aerodrome_stacks.images_stack import ImagesStack
from tests.cli.mirror.registry_server import Held, registry_server
from tests.templates import ROOT

# An account that no other test uses.
ACCOUNT, OTHER = "555566667777", "111122223333"
BOX = "aerodrome/prod/quay.io/prometheus/prometheus"


def environment_with(images: str) -> Environment:
    """Production in an account of its own, with its images from a place of the tests' choice."""
    text = (ROOT / "environments" / "prod.yaml").read_text(encoding="utf-8").replace("777788889999", ACCOUNT)
    values, _ = parse(text.encode())
    assert isinstance(values, dict)
    return validate("prod", {**values, "images": images}, Path("prod.yaml"))


def deploy(images: str, aws: EmbeddedAws, outdir: Path) -> None:
    made = cdk.App(outdir=str(outdir), analytics_reporting=False)
    ImagesStack(made, "Images", environment=environment_with(images))
    deploy_assembly(Path(made.synth().directory), aws.endpoint)


@pytest.fixture
def ecr(embedded_aws: EmbeddedAws) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
    return embedded_aws.client("ecr", ACCOUNT)


@pytest.fixture
def mirror_made(embedded_aws: EmbeddedAws, tmp_path: Path) -> None:
    """The Images stack of an environment with a mirror."""
    deploy("mirror", embedded_aws, tmp_path / "assembly")


@pytest.fixture
def source() -> Iterator[Held]:
    """Where an image and a chart are published."""
    with registry_server(Held()) as held:
        yield held


class Command:
    """The command, with a list of one image that can be copied, one without a repository, and one that is not there."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, source: Held, endpoint: str) -> None:
        self.lock = root / "charts" / "images.lock.yaml"
        self.lock.parent.mkdir()
        self._monkeypatch, self._source = monkeypatch, source
        monkeypatch.setattr(command, "PROJECT", Project(root=root))
        monkeypatch.setattr(command, "load_environment", lambda *_: environment_with("mirror"))
        monkeypatch.setattr(command, "items", self._items)
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "embedded")
        self.account = ACCOUNT

    def __call__(self, *arguments: str) -> Result:
        self._monkeypatch.setenv("AWS_ACCESS_KEY_ID", self.account)
        return CliRunner().invoke(app, ["mirror", "-e", "prod", *arguments])

    def _items(self, environment: Environment) -> list[Item]:
        (prometheus,) = [item for item in items(environment) if item.repository == BOX]
        box = self._of_source(prometheus, "tools/box")
        nowhere = replace(box, name="nowhere:v1", repository="aerodrome/prod/nowhere")
        return [box, nowhere, self._of_source(prometheus, "tools/none")]

    def _of_source(self, item: Item, path: str) -> Item:
        name = f"{self._source.address}/{path}"
        return replace(item, name=f"{name}:v1", source=name, version="v1", tag="v1")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Held, embedded_aws: EmbeddedAws) -> Command:
    return Command(tmp_path, monkeypatch, source, embedded_aws.endpoint)


@pytest.mark.usefixtures("mirror_made")
def test_what_is_published_is_afterwards_in_the_account(
    run: Command,
    ecr: Any,  # noqa: ANN401 - boto3 makes the class at run time
    source: Held,
) -> None:
    known_by = source.add_image("tools/box", "v1")

    done = run("--push")

    # One is copied. What is wrong with the others keeps nothing else from being copied.
    assert done.exit_code == 1
    assert done.stdout.splitlines()[0].startswith(f"copied   {source.address}/tools/box:v1  {known_by}  ")
    assert done.stdout.splitlines()[-1].endswith("1 copied (0.0 MB), 0 there already, 2 failed")
    assert len(done.stderr.splitlines()) == 2, done.stderr
    nowhere, missing = done.stderr.splitlines()
    assert "has no repository aerodrome/prod/nowhere: deploy the stack Images first" in nowhere
    assert f"{source.address}/tools/none:v1: there is no such image" in missing
    (image,) = ecr.describe_images(repositoryName=BOX, imageIds=[{"imageTag": "v1"}])["imageDetails"]
    assert image["imageDigest"] == known_by
    digests = {one["imageDigest"] for one in ecr.list_images(repositoryName=BOX)["imageIds"]}
    assert digests == {name for _, name in source.manifests if name.startswith("sha256:")}
    assert f"{known_by}\n" in run.lock.read_text()

    again = json.loads(run("--push", "--json").stdout)["items"]
    assert [item["state"] for item in again] == ["present", "failed", "failed"]
    assert again[0]["digest"] == known_by
    assert again[0]["target"] == f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{BOX}:v1"


@pytest.mark.usefixtures("mirror_made")
def test_there_is_a_repository_for_every_image_and_chart(ecr: Any) -> None:  # noqa: ANN401 - boto3 makes the class at run time
    pages = ecr.get_paginator("describe_repositories").paginate()
    made = {repository["repositoryName"] for page in pages for repository in page["repositories"]}

    assert {item.repository for item in items(environment_with("mirror"))} <= made
    assert {f"aerodrome/prod/charts/{name}" for name in ("karpenter", "flyte-core")} <= made


def test_the_caches_are_before_the_registries_that_want_no_password(
    ecr: Any,  # noqa: ANN401 - boto3 makes the class at run time
    embedded_aws: EmbeddedAws,
    tmp_path: Path,
) -> None:
    deploy("pull-through", embedded_aws, tmp_path / "assembly")

    rules = ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"]
    assert {rule["ecrRepositoryPrefix"]: rule["upstreamRegistryUrl"] for rule in rules} == {
        "aerodrome/prod/ecr": "public.ecr.aws",
        "aerodrome/prod/quay": "quay.io",
        "aerodrome/prod/k8s": "registry.k8s.io",
    }


def test_credentials_of_another_account_are_refused(run: Command) -> None:
    run.account = OTHER

    done = run("--push")

    assert done.exit_code == 2
    assert done.stderr == (
        f"aerodrome mirror: the AWS credentials are of the account {OTHER}, and prod is in {ACCOUNT}; choose others, "
        "such as with AWS_PROFILE\n"
    )


def test_without_an_answer_from_aws_nothing_is_copied(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    done = run("--push")

    assert done.exit_code == 2
    assert done.stderr.startswith(f"aerodrome mirror: AWS gives no password for the registry of {ACCOUNT}: ")
