"""``charts/images.yaml``: every image that the platform runs, and what leads a release to another place for it."""

import re
from collections.abc import Mapping

import pytest
from ruamel.yaml import YAML

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.image_list import Image, all_images, other_images, release_images, upstream_charts
from chart_paths import unknown_paths
from tests.charts.deployed import CHARTS, DeployedRelease, specs
from tests.charts.helm import Helm
from tests.charts.image_references import images_in, own_images
from tests.charts.known_paths import known_paths_of
from tests.templates import ROOT

LIST = YAML(typ="safe").load(CHARTS / "images.yaml")
SPECS = specs()
IMAGES = [pytest.param(image, id=image.reference) for image in all_images()]
# Charts of our own that start nothing.
WITHOUT_PODS = {
    "aerodrome-foundation",
    "aerodrome-monitoring",
    "aerodrome-node-pools",
    "aerodrome-secrets",
}


def test_every_release_is_in_the_list() -> None:
    assert set(release_images()) == set(SPECS) - WITHOUT_PODS


@pytest.mark.parametrize("folder", [folder for folder in release_images() if not SPECS[folder].is_local])
def test_the_images_were_read_in_the_pinned_version(folder: str) -> None:
    # Who moves a pin reads the chart's images again: `make rendered` holds the list against what the new one renders.
    assert LIST[folder]["version"] == SPECS[folder].version


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_a_registry_and_a_version(image: Image) -> None:
    assert re.fullmatch(r"[a-z0-9.-]+\.[a-z]+(/[a-z0-9._-]+)+", image.name)
    assert image.tag not in {"", "latest"}
    assert image.digest is None or re.fullmatch("sha256:[0-9a-f]{64}", image.digest)


def test_an_image_that_two_ask_for_has_one_digest() -> None:
    every = [image for images in (*release_images().values(), other_images()) for image in images]

    assert len({(image.reference, image.digest) for image in every}) == len(all_images())


def test_a_chart_of_ours_asks_for_what_is_listed(
    releases: Mapping[str, DeployedRelease], helm: Helm, environment: Environment
) -> None:
    own = [release for release in releases.values() if release.chart is None]
    assert own

    for release in own:
        manifests = helm.template(
            release.folder, release=release.name, namespace=release.namespace, values=release.values
        )
        listed = {image.reference for image in release_images().get(release.folder.name, ())}
        assert images_in(manifests) - own_images(environment) <= listed, release.name


@pytest.mark.parametrize("folder", [folder for folder in release_images() if SPECS[folder].is_local])
def test_a_chart_of_ours_names_its_images_as_values(folder: str) -> None:
    values = YAML(typ="safe").load(CHARTS / folder / "values.yaml")
    named = images_in(values)
    listed = {image.reference for image in release_images()[folder] if image.values}

    assert named == listed
    for image in release_images()[folder]:
        for path, template in image.values.items():
            found = values
            for key in path.split("."):
                found = found[key]
            assert (found, template) == (image.reference, "{image}")


def test_what_our_values_ask_of_charts_is_listed(
    releases: Mapping[str, DeployedRelease], environment: Environment
) -> None:
    for release in releases.values():
        listed = {image.reference for image in release_images().get(release.folder.name, ())}
        # Where no image of a task is known, flytepropeller's template has one that no registry has.
        named = {image for image in images_in(release.values) if ".invalid/" not in image}
        assert named - own_images(environment) <= listed, release.name


@pytest.mark.parametrize("folder", [folder for folder in release_images() if not SPECS[folder].is_local])
def test_the_chart_knows_what_leads_it_elsewhere(folder: str) -> None:
    paths = known_paths_of(folder)
    for image in release_images()[folder]:
        assert image.values, f"nothing leads {folder} elsewhere for {image.reference}"
        for path, template in image.values.items():
            values: object = template
            for key in reversed(path.split(".")):
                values = {key: values}
            assert isinstance(values, dict)
            assert [str(one) for one in unknown_paths(values, set(paths.known), set(paths.free_form))] == []


@pytest.mark.parametrize("image", IMAGES)
def test_a_template_has_nothing_but_a_place(image: Image) -> None:
    assert set(image.values.values()) <= {"{registry}", "{repository}", "{image}"}


@pytest.mark.parametrize("entry", LIST["beside"], ids=lambda entry: entry["image"])
def test_what_is_beside_the_releases_is_asked_for_where_the_list_says(entry: Mapping[str, str]) -> None:
    assert entry["image"] in (ROOT / entry["asked_for_in"]).read_text(encoding="utf-8")


def test_every_image_of_the_jobs_is_listed() -> None:
    named = images_in({"image": ""} | {"text": (ROOT / "stacks/aerodrome_stacks/job_catalogue.py").read_text()})

    assert named
    assert named <= {image.reference for image in other_images()}


def test_the_lock_has_nothing_that_is_not_listed() -> None:
    file = CHARTS / "images.lock.yaml"
    lock = YAML(typ="safe").load(file) if file.exists() else {}
    images, charts = lock.get("images", {}), lock.get("charts", {})

    assert set(images) <= {image.reference for image in all_images()}
    assert set(charts) <= {f"{chart.name} {chart.version}" for chart in upstream_charts()}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"image": "busybox:1.38.0"}, {"docker.io/library/busybox:1.38.0"}),
        ({"image": "burakince/mlflow:3.15.1"}, {"docker.io/burakince/mlflow:3.15.1"}),
        ({"args": ["--reloader=quay.io/a/b:v1", "--x"]}, {"quay.io/a/b:v1"}),
        ({"data": {"copilot.yaml": "image: cr.flyte.org/a/b-release:v1\n"}}, {"cr.flyte.org/a/b-release:v1"}),
        ({"image": f"public.ecr.aws/k/c:1@sha256:{'a' * 64}"}, {"public.ecr.aws/k/c:1"}),
        ({"url": "http://flyteadmin.flyte.svc.cluster.local/v1:80"}, set()),
        ({"annotation": "time:12", "list": [1, None, True]}, set()),
    ],
)
def test_images_are_found_wherever_they_stand(value: Mapping[str, object], found: set[str]) -> None:
    assert images_in(value) == found
