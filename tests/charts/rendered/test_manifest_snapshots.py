"""What our own charts render to, compared with what somebody reviewed.

Names that are known on deployment only stand as ``${Name}``.
"""

from collections.abc import Iterable, Mapping

import yaml

from pytest_cdk import CdkSnapshot
from tests.charts.deployed import DeployedRelease
from tests.charts.helm import Manifest
from tests.charts.rendered.workloads import Cluster


def test_manifests_of_our_own_charts(
    cdk_variant: str, releases: Mapping[str, DeployedRelease], rendered: Cluster, cdk_snapshot: CdkSnapshot
) -> None:
    own = {name: manifests for name, manifests in rendered.manifests.items() if releases[name].chart is None}
    assert len(own) > 5

    texts = {f"{name}.yaml": _text(manifests) for name, manifests in own.items()}
    cdk_snapshot.check_texts(f"{cdk_variant}/manifests", texts)


def _text(manifests: Iterable[Manifest]) -> str:
    ordered = sorted(manifests, key=lambda one: (one["kind"], _place(one)))
    return "".join(f"---\n{yaml.dump(dict(one), Dumper=yaml.CSafeDumper, width=120)}" for one in ordered)


def _place(manifest: Manifest) -> tuple[str, str]:
    return manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"]
