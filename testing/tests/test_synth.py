"""One synth, in this process."""

import json
from pathlib import Path

from aws_cdk import App, CfnResource, NestedStack, Stack, Stage, aws_lambda

from pytest_cdk import Assembly
from pytest_cdk.normalise import snapshot_text
from pytest_cdk.synth import synthesize


def build(tmp_path: Path, *, staged: bool = False, code: str = "") -> Assembly:
    """Synthesize an app with a Lambda, a nested stack and a stage."""
    handler = tmp_path / "handler"
    handler.mkdir(exist_ok=True)
    (handler / "main.py").write_text(code)
    cdk_json = tmp_path / "cdk.json"
    cdk_json.write_text('{"context": {"colour": "green"}}')

    def function(app: App, variant: str) -> None:
        api = Stack(app, "Api", stack_name=f"shop-{variant}-api", description=app.node.try_get_context("colour"))
        runtime = aws_lambda.Runtime.PYTHON_3_13
        source = aws_lambda.Code.from_asset(str(handler))
        aws_lambda.Function(api, "Handler", runtime=runtime, handler="main.handle", code=source).add_alias("live")
        CfnResource(NestedStack(api, "Nested"), "Topic", type="AWS::SNS::Topic")
        CfnResource(Stack(Stage(app, "Blue"), "Api"), "Queue", type="AWS::SQS::Queue")

    outdir = tmp_path / f"cdk.out.{code}.{staged}"
    return synthesize(function, "dev", cdk_json=cdk_json, outdir=outdir, stage_assets=staged)


def test_stacks_are_named_by_their_paths_with_those_in_stages_and_nested_ones(tmp_path: Path) -> None:
    assembly = build(tmp_path)
    assert list(assembly.stacks) == ["Api", "ApiNested29EEE07D.nested", "Blue/Api"]
    assert assembly.template("Blue/Api")["Resources"] == {"Queue": {"Type": "AWS::SQS::Queue"}}
    assert assembly.template("ApiNested29EEE07D.nested")["Resources"] == {"Topic": {"Type": "AWS::SNS::Topic"}}
    assert assembly.template("Api")["Description"] == "green", "the context of cdk.json"


def test_assets_are_copied_only_if_asked_and_templates_are_the_same(tmp_path: Path) -> None:
    here, copied = build(tmp_path, code="1"), build(tmp_path, code="1", staged=True)
    assert not list(here.directory.glob("asset.*/main.py"))
    assert [path.read_text() for path in copied.directory.glob("asset.*/main.py")] == ["1"]
    assert here.stacks == copied.stacks


def test_another_line_of_lambda_code_changes_the_template_and_not_its_snapshot(tmp_path: Path) -> None:
    one, two = (build(tmp_path, code=code).template("Api") for code in ("1", "2"))
    assert json.dumps(one) != json.dumps(two)
    assert snapshot_text(one) == snapshot_text(two)
    assert '"S3Key": "<asset-hash>.zip"' in snapshot_text(one)
    assert "HandlerCurrentVersion" in snapshot_text(one)
