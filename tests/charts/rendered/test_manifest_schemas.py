"""The API server would take everything that the releases put into a cluster."""

import pytest

from tests.charts.helm import KUBERNETES_VERSIONS, problems
from tests.charts.rendered.workloads import Cluster


@pytest.mark.parametrize("kubernetes_version", KUBERNETES_VERSIONS)
def test_the_api_server_would_take_every_manifest(rendered_case: Cluster, kubernetes_version: str) -> None:
    refused = {
        f"{release}: {manifest['kind']} {manifest['metadata']['name']}": found
        for release, manifests in rendered_case.manifests.items()
        for manifest in manifests
        if (found := problems(manifest, kubernetes_version))
    }

    assert refused == {}


def test_no_two_releases_make_the_same_object(rendered_case: Cluster) -> None:
    made: dict[tuple[str, ...], list[str]] = {}
    for release, manifests in rendered_case.manifests.items():
        for manifest in manifests:
            metadata = manifest["metadata"]
            group = manifest["apiVersion"].rpartition("/")[0]
            place = (group, manifest["kind"], metadata.get("namespace", ""), metadata["name"])
            made.setdefault(place, []).append(release)

    assert {place: releases for place, releases in made.items() if len(releases) > 1} == {}
