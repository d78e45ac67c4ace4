"""No role says ``*`` or reaches Secrets but those in ``cluster_roles.yaml``, each with the reason."""

from collections.abc import Callable
from typing import Any

import pytest

from pytest_cdk.settings import Settings
from tests.charts.rendered.cluster_roles import Right, reaches, reviewed, rights
from tests.charts.rendered.workloads import Cluster


def found(cluster: Cluster) -> set[Right]:
    """All such rights in the cluster of one environment."""
    return {
        right
        for release, manifests in cluster.manifests.items()
        for manifest in manifests
        if manifest["kind"] in {"ClusterRole", "Role"}
        for right in rights(release, manifest)
    }


def test_no_role_reaches_further_than_was_reviewed(rendered: Cluster) -> None:
    assert list(rendered.of_kinds("ClusterRole"))
    assert list(rendered.of_kinds("Role"))
    assert found(rendered) - reviewed().keys() == set()


def test_no_entry_is_idle(clusters: Callable[[str], Cluster], cdk_settings: Settings) -> None:
    each = [clusters(name) for name in cdk_settings.variants]
    there = {release for cluster in each for release in cluster.manifests}

    assert {right for right in reviewed() if right.release in there} <= {
        right for cluster in each for right in found(cluster)
    }


def test_every_entry_has_a_reason() -> None:
    assert reviewed()
    for right, reason in reviewed().items():
        assert right.reach in {"everything", "secrets"}
        assert len(reason.split()) > 3, right


def test_nobody_is_bound_to_a_role_that_comes_with_the_cluster_and_may_do_all(rendered: Cluster) -> None:
    bindings = list(rendered.of_kinds("ClusterRoleBinding", "RoleBinding"))

    assert bindings
    assert [one["metadata"]["name"] for one in bindings if one["roleRef"]["name"] in {"cluster-admin", "admin"}] == []


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}, set()),
        ({"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}, {"everything"}),
        ({"apiGroups": ["apps"], "resources": ["*"], "verbs": ["get"]}, {"everything"}),
        ({"apiGroups": ["*"], "resources": ["*"], "verbs": ["get"]}, {"everything", "secrets"}),
        ({"apiGroups": ["*"], "resources": ["secrets"], "verbs": ["get"]}, {"everything", "secrets"}),
        ({"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["list"]}, {"secrets"}),
        ({"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["one"], "verbs": ["get"]}, set()),
        ({"nonResourceURLs": ["/metrics"], "verbs": ["get"]}, set()),
    ],
)
def test_a_rule_reaches_what_it_says(rule: dict[str, Any], expected: set[str]) -> None:
    assert reaches(rule) == expected
