"""The life of a snapshot, on hand-made assemblies: no node, so each session takes half a second."""

import json
import shutil
from pathlib import Path

import pytest

from pytest_cdk.normalise import snapshot_text

pytest_plugins = ["pytester"]

PYPROJECT = """
[tool.pytest]
addopts = ["-p", "syrupy", "-p", "pytest_cdk.plugin", "--strict-config"]
filterwarnings = ["error"]
cdk_variants = ["dev", "prod"]
cdk_stateful_types = ["Custom::Ledger"]
"""

TESTS = """
from pathlib import Path
from pytest_cdk import Assembly

def test_templates(cdk_variant, cdk_snapshot):
    cdk_snapshot.check_templates(Assembly(cdk_variant, Path("assemblies", cdk_variant)))

def test_stateful(cdk_variant, cdk_snapshot):
    cdk_snapshot.check_stateful(Assembly(cdk_variant, Path("assemblies", cdk_variant)))
"""

ASSET = "0123456789abcdef" * 4
DIGEST = "fedcba9876543210" * 4
BUCKET = {"Type": "AWS::S3::Bucket", "Properties": {"Tags": ["ü"]}}
TOPIC = {"Type": "AWS::SNS::Topic"}


def synthesized(variant: str, **stacks: dict[str, object]) -> None:
    """Write an assembly as the CDK does."""
    directory = Path("assemblies", variant)
    directory.mkdir(parents=True, exist_ok=True)
    artifacts = {}
    for name, resources in stacks.items():
        file = f"{name}.template.json"
        (directory / file).write_text(json.dumps({"Resources": resources}))
        artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "properties": {"templateFile": file},
            "displayName": name,
        }
    (directory / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))


@pytest.fixture
def app(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project whose snapshots are up to date."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyprojecttoml(PYPROJECT)
    pytester.makepyfile(test_app=TESTS)
    for variant in ("dev", "prod"):
        synthesized(variant, Storage={"RawB1": BUCKET}, Api={"Queue": TOPIC})
        snapshot(variant).mkdir(parents=True)
        snapshot(f"{variant}/Storage.json").write_text(
            snapshot_text({"Resources": {"RawB1": BUCKET}}), encoding="utf-8"
        )
        snapshot(f"{variant}/Api.json").write_text(snapshot_text({"Resources": {"Queue": TOPIC}}))
        snapshot(f"{variant}/stateful.txt").write_text("Storage RawB1 AWS::S3::Bucket\n")
    return pytester


def snapshot(name: str) -> Path:
    return Path("tests/snapshots", name)


def test_an_update_writes_one_sorted_file_for_each_stack_and_variant_and_the_list(app: pytest.Pytester) -> None:
    shutil.rmtree("tests/snapshots")
    app.runpytest_subprocess("--update").assert_outcomes(passed=4)
    files = sorted(str(path.relative_to("tests/snapshots")) for path in Path("tests/snapshots").rglob("*.*"))
    assert files == [f"{v}/{f}" for v in ("dev", "prod") for f in ("Api.json", "Storage.json", "stateful.txt")]
    text = snapshot("dev/Storage.json").read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    assert '"ü"' in text
    assert snapshot("dev/stateful.txt").read_text() == "Storage RawB1 AWS::S3::Bucket\n"
    app.runpytest_subprocess().assert_outcomes(passed=4)


def test_a_snapshot_that_does_not_exist_fails_and_is_not_written(app: pytest.Pytester) -> None:
    snapshot("dev/Api.json").unlink()
    snapshot("prod/stateful.txt").unlink()
    result = app.runpytest_subprocess()
    result.assert_outcomes(failed=2, passed=2)
    result.stdout.fnmatch_lines(
        ["tests/snapshots/dev/Api.json does not exist.", "tests/snapshots/prod/stateful.txt does not exist."]
    )
    result.stdout.fnmatch_lines(["If this is meant, run pytest with --update and review the change with git diff."])
    result.stdout.no_fnmatch_line("*Traceback*")
    assert not snapshot("dev/Api.json").exists()


def test_a_change_fails_with_the_difference_of_every_stack_and_an_update_takes_it(app: pytest.Pytester) -> None:
    topic = {**TOPIC, "Properties": {"TopicName": "orders"}}
    changed = {**BUCKET, "Properties": {"Tags": ["u"]}}
    synthesized("dev", Storage={"RawB1": changed}, Api={"Queue": topic})
    result = app.runpytest_subprocess()
    result.assert_outcomes(failed=1, passed=3)
    result.stdout.fnmatch_lines(
        [
            "--- tests/snapshots/dev/Api.json (reviewed)",
            "+++ tests/snapshots/dev/Api.json (synthesized)",
            '+   "Properties": {',
            '+    "TopicName": "orders"',
            "--- tests/snapshots/dev/Storage.json (reviewed)",
            '-     "ü"',
            '+     "u"',
        ]
    )
    app.runpytest_subprocess("--snapshot-update").assert_outcomes(passed=4)
    assert "orders" in snapshot("dev/Api.json").read_text()


def test_a_stack_that_is_gone_fails_until_its_file_is_gone(app: pytest.Pytester) -> None:
    synthesized("dev", Storage={"RawB1": BUCKET})
    snapshot("staging").mkdir()
    snapshot("staging/Api.json").write_text("{}\n")
    snapshot("README.md").write_text("Reviewed templates.\n")
    result = app.runpytest_subprocess("-k", "templates and dev")
    result.assert_outcomes(failed=1, deselected=3)
    result.stdout.fnmatch_lines(
        [
            "tests/snapshots/dev/Api.json: no stack stands behind it any more.",
            "tests/snapshots/staging/Api.json: no stack stands behind it any more.",
        ]
    )
    app.runpytest_subprocess("--update", "-k", "dev").assert_outcomes(passed=2, deselected=2)
    assert not snapshot("dev/Api.json").exists()
    assert not snapshot("staging/Api.json").exists()
    assert snapshot("prod/Api.json").exists(), "an update of one variant leaves the others alone"
    assert snapshot("README.md").exists(), "only snapshots are deleted"


def test_a_changed_logical_id_of_a_stateful_resource_is_called_a_replacement(app: pytest.Pytester) -> None:
    ledger = {"Type": "Custom::Ledger"}
    synthesized("prod", Storage={"RawB2": BUCKET, "Ledger": ledger}, Api={"Queue": TOPIC})
    result = app.runpytest_subprocess("-k", "stateful")
    result.assert_outcomes(failed=1, passed=1, deselected=2)
    result.stdout.fnmatch_lines(
        [
            "tests/snapshots/prod/stateful.txt: the stateful resources changed.",
            "  - Storage RawB1 AWS::S3::Bucket",
            "*an empty resource replaces it*",
            "  + Storage Ledger Custom::Ledger",
            "  + Storage RawB2 AWS::S3::Bucket",
        ]
    )


def test_a_new_asset_hash_is_no_change_and_another_digest_is(app: pytest.Pytester) -> None:
    def function(asset: str, version: str, digest: str) -> dict[str, object]:
        return {
            "Function": {"Type": "AWS::Lambda::Function", "Properties": {"Code": {"S3Key": f"{asset}.zip"}}},
            f"FunctionCurrentVersion58B8A55D{version}": {"Type": "AWS::Lambda::Version"},
            "Alias": {"Properties": {"Ref": f"FunctionCurrentVersion58B8A55D{version}"}, "Type": "AWS::Lambda::Alias"},
            "Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": {"Image": f"repo@sha256:{digest}"}},
        }

    old, new = "44e6826f882577b125ed439dff4e7c2e", "55e6826f882577b125ed439dff4e7c2e"
    synthesized("dev", Api=function(ASSET, old, DIGEST))
    app.runpytest_subprocess("--update").assert_outcomes(passed=4)
    text = snapshot("dev/Api.json").read_text()
    assert '"S3Key": "<asset-hash>.zip"' in text
    assert text.count("FunctionCurrentVersion58B8A55D<content-hash>") == 2

    synthesized("dev", Api=function(DIGEST, new, DIGEST))
    app.runpytest_subprocess().assert_outcomes(passed=4)
    synthesized("dev", Api=function(ASSET, old, ASSET))
    app.runpytest_subprocess().assert_outcomes(failed=1, passed=3)


def test_an_app_without_stacks_fails(app: pytest.Pytester) -> None:
    synthesized("dev")
    result = app.runpytest_subprocess("--update", "-k", "dev")
    result.assert_outcomes(failed=2, deselected=2)
    result.stdout.fnmatch_lines(["variant dev: the app has no stacks; does cdk_app add any to its App?"])


TEXTS = """
def test_texts(cdk_variant, cdk_snapshot):
    cdk_snapshot.check_texts(f"{cdk_variant}/manifests", {"box.yaml": "kind: Box\\n", "lid.yaml": "kind: Lid\\n"})
"""


def test_texts_are_kept_in_a_folder_of_their_own(app: pytest.Pytester) -> None:
    app.makepyfile(test_texts=TEXTS)
    app.runpytest_subprocess("test_texts.py", "--update").assert_outcomes(passed=2)
    assert snapshot("dev/manifests/box.yaml").read_text() == "kind: Box\n"
    app.runpytest_subprocess().assert_outcomes(passed=6)

    snapshot("dev/manifests/box.yaml").write_text("kind: Crate\n")
    snapshot("prod/manifests/crate.yaml").write_text("kind: Crate\n")
    result = app.runpytest_subprocess("test_texts.py")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["-kind: Crate", "+kind: Box"])
    result.stdout.fnmatch_lines(["tests/snapshots/prod/manifests/crate.yaml: nothing stands behind it any more."])

    app.runpytest_subprocess("test_texts.py", "--update").assert_outcomes(passed=2)
    assert not snapshot("prod/manifests/crate.yaml").exists()
    app.runpytest_subprocess("test_texts.py").assert_outcomes(passed=2)
