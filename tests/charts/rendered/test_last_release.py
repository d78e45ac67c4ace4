"""No change needs an object made anew that the last release put into clusters.

``last_release/<environment>.json`` is what was released; ``make record-release`` writes it, when a release is out. None
is yet: what stands there is what the first will put into clusters.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_cdk import CdkSnapshot
from tests.charts.deployed import DeployedRelease
from tests.charts.rendered.immutable import immutable_fields, refusals
from tests.charts.rendered.workloads import Cluster

RECORDED = Path(__file__).parent / "last_release"

Record = dict[str, Any]


def record(releases: Mapping[str, DeployedRelease], cluster: Cluster) -> Record:
    """What cannot change of an environment's releases, and of the objects in those of which the chart is here."""
    return {
        "releases": {
            name: {"chart": release.chart or release.folder.name, "namespace": release.namespace}
            for name, release in releases.items()
        },
        "objects": {
            f"{name}: {one['kind']} {one['metadata'].get('namespace', '')}/{one['metadata']['name']}": fields
            for name, manifests in cluster.manifests.items()
            for one in manifests
            if (fields := immutable_fields(one))
        },
    }


def kept(before: Record, now: Record, rendered: frozenset[str]) -> Record:
    """The new record, with the objects of releases that are installed and were not rendered as they stood."""
    others = {
        name: fields
        for name, fields in before["objects"].items()
        if (release := name.partition(":")[0]) not in rendered and release in now["releases"]
    }
    return {**now, "objects": {**others, **now["objects"]}}


def test_an_upgrade_from_the_last_release_is_not_refused(
    cdk_variant: str, releases: Mapping[str, DeployedRelease], rendered: Cluster, cdk_snapshot: CdkSnapshot
) -> None:
    file = RECORDED / f"{cdk_variant}.json"
    now = record(releases, rendered)
    if cdk_snapshot.update:
        before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"objects": {}}
        text = json.dumps(kept(before, now, frozenset(rendered.manifests)), indent=1, sort_keys=True)
        file.write_text(f"{text}\n", encoding="utf-8")
    last = json.loads(file.read_text(encoding="utf-8"))

    assert last["releases"]
    assert last["objects"]
    assert list(refusals(last, now)) == []


BOX: Record = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "box", "namespace": "boxes"},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "box"}},
        "serviceName": "box",
        "volumeClaimTemplates": [{"spec": {"storageClassName": "gp3"}}],
    },
}


def recorded_box(**changes: Any) -> Record:  # noqa: ANN401 - any JSON value
    """A record with one release and its StatefulSet, whose specification is changed."""
    box = {**BOX, "spec": {**BOX["spec"], **changes}}
    return {
        "releases": {"boxes": {"chart": "boxes", "namespace": "boxes"}},
        "objects": {"boxes: StatefulSet boxes/box": immutable_fields(box)},
    }


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"selector": {"matchLabels": {"app": "other"}}}, "spec.selector"),
        ({"serviceName": "other"}, "spec.serviceName"),
        ({"volumeClaimTemplates": [{"spec": {"storageClassName": "gp2"}}]}, "spec.volumeClaimTemplates"),
        ({"volumeClaimTemplates": None}, "spec.volumeClaimTemplates"),
    ],
)
def test_a_field_that_cannot_change_is_refused(changes: Record, field: str) -> None:
    (refused,) = refusals(recorded_box(), recorded_box(**changes))

    assert f"boxes: StatefulSet boxes/box: {field} was" in refused


@pytest.mark.parametrize(("size", "refused"), [("20Gi", False), ("10Gi", False), ("5Gi", True), (None, True)])
def test_a_volume_may_grow_and_not_shrink(size: str | None, *, refused: bool) -> None:
    def recorded(storage: str | None) -> Record:
        resources = {"requests": {"storage": storage}}
        claim = {"spec": {"storageClassName": "gp3", "resources": resources if storage else {}}}
        metadata = {"name": "p", "namespace": "monitoring"}
        manifest = {"kind": "Prometheus", "metadata": metadata, "spec": {"storage": {"volumeClaimTemplate": claim}}}
        return {"releases": {}, "objects": {"p": immutable_fields(manifest)}}

    assert bool(list(refusals(recorded("10Gi"), recorded(size)))) is refused


def test_a_hook_is_made_anew_each_time() -> None:
    job: Record = {"kind": "Job", "metadata": {"name": "migrate"}, "spec": {"template": {"spec": {}}}}
    hook = {**job, "metadata": {"name": "migrate", "annotations": {"helm.sh/hook": "pre-upgrade"}}}

    assert immutable_fields(job) == {"spec.template": {"spec": {}}}
    assert immutable_fields(hook) == {}


def test_what_says_of_itself_that_it_cannot_change() -> None:
    settings: Record = {"kind": "ConfigMap", "metadata": {"name": "box"}, "data": {"size": "1"}}

    assert immutable_fields(settings) == {}
    assert immutable_fields({**settings, "immutable": True}) == {"data": {"size": "1"}, "immutable": True}


def test_a_field_that_can_change_is_not() -> None:
    assert list(refusals(recorded_box(), recorded_box(replicas=3))) == []


@pytest.mark.parametrize(
    ("releases", "refused"),
    [
        ({}, "the release boxes is gone"),
        ({"cartons": {"chart": "boxes", "namespace": "boxes"}}, "the release boxes is gone"),
        (
            {"boxes": {"chart": "boxes", "namespace": "other"}},
            "the release boxes was of the namespace boxes",
        ),
        ({"boxes": {"chart": "cartons", "namespace": "boxes"}}, "the release boxes was of the chart boxes"),
    ],
)
def test_a_release_that_is_another_is_refused(releases: Record, refused: str) -> None:
    (found,) = refusals(recorded_box(), {**recorded_box(), "releases": releases})

    assert found.startswith(refused)


def test_a_new_release_and_a_new_object_are_not() -> None:
    now = recorded_box()
    now["releases"]["more"] = {"chart": "more", "namespace": "boxes"}
    now["objects"]["more: Deployment boxes/more"] = {"spec.selector": {}}

    assert list(refusals(recorded_box(), now)) == []


def test_what_was_not_rendered_is_kept_in_the_record() -> None:
    now = {"releases": recorded_box()["releases"], "objects": {}}

    assert kept(recorded_box(), now, frozenset()) == recorded_box()
    assert kept(recorded_box(), now, frozenset({"boxes"}))["objects"] == {}
