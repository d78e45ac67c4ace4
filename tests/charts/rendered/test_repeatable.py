"""The same values give the same manifests: what changes with each render restarts pods, and hides what has changed."""

from collections.abc import Mapping, Sequence

import pytest

from tests.charts.deployed import DeployedRelease
from tests.charts.helm import Helm, Manifest
from tests.charts.rendered.conftest import chart_folder, render
from tests.charts.rendered.workloads import Cluster

# Offline the chart makes a certificate with each render. In a cluster it takes the one that is there (keepTLSSecret).
CERTIFICATES = {
    ("Secret", "aws-load-balancer-tls"),
    ("MutatingWebhookConfiguration", "aws-load-balancer-webhook"),
    ("ValidatingWebhookConfiguration", "aws-load-balancer-webhook"),
}


# The environment with the most releases.
@pytest.mark.cdk_variants("prod")
def test_two_renders_are_equal(releases: Mapping[str, DeployedRelease], rendered: Cluster, helm: Helm) -> None:
    assert rendered.manifests
    for name, first in rendered.manifests.items():
        folder = chart_folder(releases[name])
        assert folder is not None

        assert steady(render(helm, releases[name], folder)) == steady(first), name


def steady(manifests: Sequence[Manifest]) -> list[Manifest]:
    """The manifests without those that hold a certificate."""
    return [one for one in manifests if (one["kind"], one["metadata"]["name"]) not in CERTIFICATES]
