"""Every template of every environment is compared with the one that somebody reviewed, and linted."""

import json

from cfnlint.config import ConfigMixIn
from cfnlint.runner import Runner

from pytest_cdk import AssemblyFactory, CdkSnapshot, Determinism


def test_templates(cdk_variant: str, cdk_assembly: AssemblyFactory, cdk_snapshot: CdkSnapshot) -> None:
    cdk_snapshot.check_templates(cdk_assembly(cdk_variant))


def test_stateful_resources(cdk_variant: str, cdk_assembly: AssemblyFactory, cdk_snapshot: CdkSnapshot) -> None:
    cdk_snapshot.check_stateful(cdk_assembly(cdk_variant))


def test_synth_is_deterministic(cdk_determinism: Determinism) -> None:
    cdk_determinism.check()


def test_synth_looks_nothing_up_in_an_account(cdk_variant: str, cdk_assembly: AssemblyFactory) -> None:
    manifest = json.loads((cdk_assembly(cdk_variant).directory / "manifest.json").read_text())

    assert manifest["artifacts"]
    assert "missing" not in manifest


def test_cfn_lint_finds_no_error(cdk_variant: str, cdk_assembly: AssemblyFactory) -> None:
    directory = cdk_assembly(cdk_variant).directory
    templates: dict[str, list[str]] = {}
    for artifact in json.loads((directory / "manifest.json").read_text())["artifacts"].values():
        if artifact["type"] == "aws:cloudformation:stack":
            region = artifact["environment"].rpartition("/")[2]
            templates.setdefault(region, []).append(str(directory / artifact["properties"]["templateFile"]))
    assert len(templates["us-east-1"]) > 10
    # Another region may lack a resource type: each template is linted for the one that it is deployed to. One run for
    # many templates: the rules take half a second to load.
    errors = [
        match
        for region, paths in templates.items()
        for match in Runner(ConfigMixIn(regions=[region], templates=paths)).run()
        if match.rule.severity == "error"
    ]
    assert errors == []
