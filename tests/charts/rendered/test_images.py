"""The list of images against what the charts render, the upstream ones where they are here."""

from collections.abc import Iterator

import pytest

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.image_list import Image, release_images
from tests.charts.deployed import deployed_releases
from tests.charts.helm import Helm
from tests.charts.image_references import images_in, own_images
from tests.charts.image_variants import ECR, synthesized_with, with_images
from tests.charts.rendered.conftest import chart_folder, render
from tests.charts.rendered.workloads import Cluster

# Where no image of a task is known, flytepropeller's template has one that no registry has.
NO_IMAGE = "replaced.invalid/by-that-of-the-task:0"
# Only where the environment limits what tasks share.
STORE = ("aerodrome-flyte", "docker.io/valkey/valkey:8.1.11")


def listed(rendered: Cluster) -> Iterator[tuple[str, Image]]:
    """What the list has for the releases that are rendered. One has another name than its folder."""
    for release in rendered.manifests:
        for image in release_images().get("flyte-core" if release == "flyte" else release, ()):
            yield release, image


def asked_for(rendered: Cluster, environment: Environment) -> set[tuple[str, str]]:
    """What is rendered, by release, but for what the environment names itself."""
    return {
        (release, image)
        for release, manifests in rendered.manifests.items()
        for image in images_in(manifests) - {NO_IMAGE} - own_images(environment)
    }


def test_every_image_that_is_rendered_is_listed(rendered: Cluster, environment: Environment) -> None:
    found = asked_for(rendered, environment)

    assert found
    assert found - {(release, image.reference) for release, image in listed(rendered)} == set()


def test_every_image_that_is_listed_is_rendered(rendered: Cluster, environment: Environment) -> None:
    asked = asked_for(rendered, environment)
    assert {(release, image.reference) for release, image in listed(rendered)} - asked <= {STORE}


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory: pytest.TempPathFactory, helm: Helm) -> Cluster:
    """An environment with a mirror, and everything that can be installed."""
    releases = deployed_releases(synthesized_with("mirror", tmp_path_factory.mktemp("mirror")))
    folders = {name: chart_folder(release) for name, release in releases.items()}
    return Cluster({name: render(helm, releases[name], folder) for name, folder in folders.items() if folder})


def test_a_mirror_is_all_that_pods_pull_from(mirrored: Cluster) -> None:
    found = asked_for(mirrored, with_images("mirror"))
    expected = {(release, f"{ECR}/aerodrome/prod/{image.name}:{image.tag}") for release, image in listed(mirrored)}

    assert len(found) > 3
    assert found == expected
