"""Where releases take images and charts from: their publishers, a cache in the account, or a mirror in it."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache, reduce
from typing import Any

import pytest

from aerodrome_stacks.chart_values import release
from aerodrome_stacks.chart_values.images import image_values
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.image_list import all_images, mirror_repositories, pulled_from, release_images
from pytest_cdk.assembly import Assembly
from tests.charts.deployed import DeployedRelease, deployed_releases, specs
from tests.charts.helm import Helm
from tests.charts.image_references import images_in, own_images
from tests.charts.image_variants import ECR, synthesized_with, with_images
from tests.templates import properties, resources, statements, text

# Where no image of a task is known, flytepropeller's template has one that no registry has.
NO_IMAGE = "replaced.invalid/by-that-of-the-task:0"
CACHED = {"public.ecr.aws": "ecr", "quay.io": "quay", "registry.k8s.io": "k8s"}

Variant = Callable[[str], Assembly]


@pytest.fixture(scope="module")
def variant(tmp_path_factory: pytest.TempPathFactory) -> Variant:
    """A function from where images come from to the templates."""
    return cache(lambda images: synthesized_with(images, tmp_path_factory.mktemp(images)))


def upstream(releases: Mapping[str, DeployedRelease]) -> list[DeployedRelease]:
    found = [release for release in releases.values() if release.chart is not None]
    assert len(found) == len([spec for spec in specs().values() if not spec.is_local])
    return found


def set_values(release: DeployedRelease) -> Iterator[tuple[str, str, Any]]:
    """Each image of a release, what is set for it, and to what. What is not set is not there."""
    for image in release_images().get(release.folder.name, ()):
        for path, template in image.values.items():
            found = reduce(lambda values, key: values.get(key, {}), path.split("."), release.values)
            yield image.name, template, found or None


@pytest.mark.parametrize("images", ["mirror", "pull-through"])
def test_every_image_of_every_upstream_chart_is_led_to_where_it_is(variant: Variant, images: str) -> None:
    environment = with_images(images)
    for deployed in upstream(deployed_releases(variant(images))):
        for name, template, found in set_values(deployed):
            place = pulled_from(environment, name)
            if place == name:
                # The chart's own, or what we had set before.
                assert found is None or ECR not in found, deployed.name
                continue
            path = name.partition("/")[2]
            tagged = next(image.tag for image in all_images() if image.name == name)
            expected = {"registry": place.removesuffix(f"/{path}"), "repository": place, "image": f"{place}:{tagged}"}
            assert found == template.format(**expected), deployed.name


def test_in_a_mirror_no_release_names_an_image_of_anybody_else(variant: Variant, helm: Helm) -> None:
    named = {
        (deployed.name, image)
        for deployed in deployed_releases(variant("mirror")).values()
        for image in images_in(deployed.values)
    }
    rendered = {
        (deployed.name, image)
        for deployed in deployed_releases(variant("mirror")).values()
        if deployed.chart is None
        for image in images_in(
            helm.template(deployed.folder, release=deployed.name, namespace=deployed.namespace, values=deployed.values)
        )
    }

    assert {"aerodrome-flyte", "aerodrome-projects", "aerodrome-mlflow"} <= {name for name, _ in rendered}
    own = {("aerodrome-flyte", image) for image in own_images(with_images("mirror"))}
    elsewhere = {one for one in named | rendered if not one[1].startswith(f"{ECR}/aerodrome/prod/")}
    assert own <= elsewhere <= own | {("flyte", NO_IMAGE)}


def test_what_releases_name_in_a_mirror_has_a_repository(variant: Variant) -> None:
    releases = deployed_releases(variant("mirror"))
    named = {
        image.removeprefix(f"{ECR}/").partition(":")[0]
        for deployed in releases.values()
        for image in images_in(deployed.values) - {NO_IMAGE} - own_images(with_images("mirror"))
    }
    charts = {deployed.properties["Repository"].removeprefix(f"oci://{ECR}/") for deployed in upstream(releases)}
    made = {
        one["RepositoryName"] for one in properties(variant("mirror").stacks["Images"], "AWS::ECR::Repository").values()
    }

    assert len(charts) > 10
    assert named | charts <= made
    assert made == set(mirror_repositories(with_images("mirror")))


def test_in_a_mirror_charts_come_from_the_account_under_their_own_names(variant: Variant) -> None:
    # What Helm pulls is a folder of that name: the Lambda function looks for it under the last part of the repository.
    for deployed in upstream(deployed_releases(variant("mirror"))):
        assert deployed.properties["Repository"] == f"oci://{ECR}/aerodrome/prod/charts/{deployed.chart}"


def test_through_a_cache_charts_come_from_their_publishers(variant: Variant) -> None:
    for deployed in upstream(deployed_releases(variant("pull-through"))):
        assert deployed.properties["Repository"] == specs()[deployed.folder.name].repository


def test_a_cache_is_before_the_registries_that_want_no_password() -> None:
    environment = with_images("pull-through")
    for image in all_images():
        host, _, path = image.name.partition("/")
        place = f"{ECR}/aerodrome/prod/{CACHED[host]}/{path}" if host in CACHED else image.name
        assert pulled_from(environment, image.name) == place


def test_a_mirrors_repository_says_where_an_image_is_from() -> None:
    environment = with_images("mirror")

    assert pulled_from(environment, "quay.io/a/b") == f"{ECR}/aerodrome/prod/quay.io/a/b"
    names = mirror_repositories(environment)
    assert len(names) == len(set(names)) > 30
    # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
    assert all(2 <= len(name) <= 256 and name == name.lower() for name in names)


def test_from_their_publishers_nothing_is_set(environment: Environment) -> None:
    assert environment.images == "upstream"
    for folder, spec in specs().items():
        assert image_values(environment, folder) == {}
        assert release(folder, environment) == spec


def test_without_a_mirror_there_is_no_stack_for_one(cdk_variant: str, cdk_assembly: Callable[[str], Assembly]) -> None:
    assert "Images" not in cdk_assembly(cdk_variant).stacks


@pytest.mark.parametrize("images", ["mirror", "pull-through"])
def test_no_release_is_installed_before_there_is_something_to_pull_from(variant: Variant, images: str) -> None:
    manifest = json.loads((variant(images).directory / "manifest.json").read_text(encoding="utf-8"))

    assert "Images" in manifest["artifacts"]["Addons"]["dependencies"]


def test_a_mirror_keeps_what_was_copied_and_never_moves_a_tag(variant: Variant) -> None:
    for resource in resources(variant("mirror").stacks["Images"], "AWS::ECR::Repository").values():
        assert resource["Properties"]["ImageTagMutability"] == "IMMUTABLE"
        assert resource["Properties"]["ImageScanningConfiguration"] == {"ScanOnPush": True}
        assert resource["Properties"]["EncryptionConfiguration"] == {"EncryptionType": "KMS"}
        assert resource["UpdateReplacePolicy"] == "Retain"


def test_nodes_may_fill_the_caches_and_no_other_repository(variant: Variant) -> None:
    (filling,) = [
        statement
        for statement in statements(variant("pull-through").stacks["Cluster"])
        if "ecr:CreateRepository" in statement.actions
    ]
    policies = properties(variant("pull-through").stacks["Cluster"], "AWS::IAM::ManagedPolicy").values()
    (roles,) = [policy["Roles"] for policy in policies if "FillImageCaches" in str(policy["PolicyDocument"])]

    assert len(roles) == 2, "those of the managed groups and those of Karpenter's"
    assert set(filling.actions) == {"ecr:BatchImportUpstreamImage", "ecr:CreateRepository"}
    assert {resource.rpartition(":repository/")[2] for resource in filling.resources} == {
        f"aerodrome/prod/{name}/*" for name in CACHED.values()
    }


@pytest.mark.parametrize("images", ["mirror"])
def test_nodes_make_no_repository_of_a_mirror(variant: Variant, images: str) -> None:
    for statement in statements(variant(images).stacks["Cluster"]):
        assert "ecr:CreateRepository" not in statement.actions


def test_jobs_of_the_platform_come_from_the_mirror_with_the_right_to_pull_them(variant: Variant) -> None:
    template = variant("mirror").stacks["JobsProduction"]
    repository = "aerodrome/prod/public.ecr.aws/sagemaker/sagemaker-distribution"
    images = {
        text(one["ContainerProperties"]["Image"]) for one in properties(template, "AWS::Batch::JobDefinition").values()
    }
    pulled = {
        resource.rpartition(":repository/")[2]
        for statement in statements(template)
        if "ecr:BatchGetImage" in statement.actions
        for resource in statement.resources
    }

    assert {image.rpartition(":")[0].partition("/")[2] for image in images} == {repository}
    assert pulled == {repository}
