"""For whom External Secrets reads: its role can read every secret of the environment that pods need."""

import json
from collections.abc import Mapping

from tests.charts.deployed import DeployedRelease
from tests.charts.helm import Helm, Manifest

POLICY = "aerodrome-secret-stores"


def foundation(releases: Mapping[str, DeployedRelease], helm: Helm) -> dict[str, Manifest]:
    release = releases["aerodrome-foundation"]
    manifests = helm.template(release.folder, release=release.name, namespace=release.namespace, values=release.values)
    return {manifest["kind"]: manifest for manifest in manifests if manifest["metadata"]["name"] == POLICY}


def namespaces_with_secrets(releases: Mapping[str, DeployedRelease]) -> list[str]:
    found = sorted(one.namespace for one in releases.values() if one.folder.name == "aerodrome-secrets")
    assert len(found) > 1
    return found


def test_a_store_stands_in_a_namespace_of_the_platform_or_is_refused(
    releases: Mapping[str, DeployedRelease], helm: Helm
) -> None:
    policy = foundation(releases, helm)["ValidatingAdmissionPolicy"]["spec"]
    (validation,) = policy["validations"]
    condition, _, allowed = validation["expression"].rpartition(" in ")

    assert condition == "has(request.namespace) && request.namespace"
    assert json.loads(allowed) == namespaces_with_secrets(releases)
    assert policy["failurePolicy"] == "Fail"


def test_everything_that_the_operator_follows_is_looked_at(releases: Mapping[str, DeployedRelease], helm: Helm) -> None:
    (rule,) = foundation(releases, helm)["ValidatingAdmissionPolicy"]["spec"]["matchConstraints"]["resourceRules"]

    assert rule == {
        "apiGroups": ["external-secrets.io", "generators.external-secrets.io"],
        "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["*"],
    }


def test_what_is_refused_is_not_only_warned_about(releases: Mapping[str, DeployedRelease], helm: Helm) -> None:
    binding = foundation(releases, helm)["ValidatingAdmissionPolicyBinding"]["spec"]

    assert binding == {"policyName": POLICY, "validationActions": ["Deny"]}


def test_who_may_edit_a_namespace_may_not_write_stores_for_that(releases: Mapping[str, DeployedRelease]) -> None:
    assert releases["external-secrets"].value("rbac") == {"aggregateToEdit": False, "aggregateToAdmin": False}
