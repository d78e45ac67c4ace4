"""The plugin around a real CDK app, each session in a process of its own: syrupy keeps its session in a global."""

import os
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

# Where jsii unpacks the CDK by default on Linux. pytester gives every run a new home, which would unpack it again: 6 s.
_JSII_CACHE = Path.home() / ".cache" / "aws" / "jsii" / "package-cache"

PYPROJECT = """
[tool.pytest]
addopts = ["-p", "syrupy", "-p", "pytest_cdk.plugin", "--strict-config", "--strict-markers"]
filterwarnings = ["error"]
cdk_app = "app.py:build"
cdk_variants = ["dev", "prod"]
"""

# Of the CDK's own modules only the core: importing aws_s3 and its like takes longer than all the rest of a session.
APP = """
from aws_cdk import App, CfnResource, Stack

def build(app: App, variant: str) -> None:
    with open("builds.log", "a") as log:
        log.write(variant + "\\n")
    storage = Stack(app, "Storage", stack_name=f"shop-{variant}-storage")
    CfnResource(storage, "Raw", type="AWS::S3::Bucket", properties={"Versioned": variant == "prod"})
    api = Stack(app, "Api", stack_name=f"shop-{variant}-api", description=app.node.try_get_context("colour"))
    CfnResource(api, "Topic", type="AWS::SNS::Topic")
"""

TESTS = """
def test_templates(cdk_variant, cdk_assembly, cdk_snapshot):
    cdk_snapshot.check_templates(cdk_assembly(cdk_variant))

def test_stateful(cdk_variant, cdk_assembly, cdk_snapshot):
    cdk_snapshot.check_stateful(cdk_assembly(cdk_variant))
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A CDK app of two stacks in two variants, and the two tests that the README shows."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    if "JSII_RUNTIME_PACKAGE_CACHE_ROOT" not in os.environ:
        monkeypatch.setenv("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(_JSII_CACHE))
    pytester.makepyprojecttoml(PYPROJECT)
    pytester.makepyfile(app=APP, test_stacks=TESTS)
    pytester.makefile(".json", cdk='{"app": "python app.py", "context": {"colour": "green"}}')
    return pytester


def test_the_app_is_synthesized_once_a_session_with_the_context_of_its_cdk_json(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_template="""
        import os
        import pytest

        def test_every_variant(template, cdk_variant):
            template("Storage").has_resource_properties("AWS::S3::Bucket", {"Versioned": cdk_variant == "prod"})

        @pytest.mark.cdk_variants("prod")
        def test_one_variant(template, cdk_variant, cdk_assembly):
            assert cdk_variant == "prod"
            assert template("Storage") is template("Storage")
            assert template("Api").to_json() == cdk_assembly("prod").stacks["Api"]
            assert cdk_assembly("prod") is cdk_assembly("prod")

        def test_no_analytics_and_no_validation(cdk_assembly):
            assert os.environ["CDK_VALIDATION"] == "false"
            assert cdk_assembly("dev").template("Api")["Resources"].keys() == {"Topic"}
        """
    )
    project.runpytest_subprocess("--update").assert_outcomes(passed=8)
    assert sorted(Path("builds.log").read_text().split()) == ["dev", "prod"]
    assert '"Description": "green"' in Path("tests/snapshots/dev/Api.json").read_text()
    assert Path("tests/snapshots/prod/stateful.txt").read_text() == "Storage Raw AWS::S3::Bucket\n"


def test_an_app_that_fails_is_built_once_and_fails_each_test_with_its_traceback(project: pytest.Pytester) -> None:
    project.makepyfile(
        app="""
        def build(app, variant):
            with open("builds.log", "a") as log:
                log.write(variant + "\\n")
            raise LookupError("no such zone")
        """
    )
    result = project.runpytest_subprocess("-k", "dev")
    result.assert_outcomes(failed=2, deselected=2)
    result.stdout.fnmatch_lines(["*app.py:*: LookupError", "*app.py:*: LookupError"])
    assert Path("builds.log").read_text().split() == ["dev"]


def test_a_wrong_name_is_answered_with_the_right_ones(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_wrong="""
        import pytest

        @pytest.mark.cdk_variants("dev")
        def test_stack(template):
            template("Storge")

        def test_variant(cdk_assembly):
            cdk_assembly("prd")
        """
    )
    result = project.runpytest_subprocess("test_wrong.py")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "no stack 'Storge' in variant dev; there are: Api, Storage; did you mean Storage?",
            "no variant 'prd' in the option cdk_variants; there are: dev, prod; did you mean prod?",
        ]
    )
    result.stdout.no_fnmatch_line("*Error*")


def test_a_marker_with_an_unknown_variant_fails_the_collection(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_wrong="""
        import pytest

        @pytest.mark.cdk_variants("staging")
        def test_stack(template):
            raise AssertionError
        """
    )
    result = project.runpytest_subprocess("test_wrong.py")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["no variant 'staging' in the option cdk_variants; there are: dev, prod"])


def test_a_session_without_cdk_tests_starts_no_node(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_plain="""
        import sys

        def test_plain():
            assert not [name for name in sys.modules if name.split(".")[0] in ("aws_cdk", "jsii")]
        """
    )
    project.runpytest_subprocess("test_plain.py").assert_outcomes(passed=1)


def test_a_missing_option_is_a_sentence(project: pytest.Pytester) -> None:
    result = project.runpytest_subprocess("-k", "templates and dev", "-o", "cdk_app=")
    result.assert_outcomes(failed=1, deselected=3)
    result.stdout.fnmatch_lines(["the option cdk_app is ''; name the function that builds the app, *"])
    result.stdout.no_fnmatch_line("*exception*")
    result.stdout.no_fnmatch_line("*settings.py*")


DETERMINISM = """
def test_determinism(cdk_determinism):
    cdk_determinism.check()
"""


def test_an_app_that_depends_on_nothing_outside_is_deterministic(project: pytest.Pytester) -> None:
    project.makepyfile(test_determinism=DETERMINISM)
    project.runpytest_subprocess("test_determinism.py").assert_outcomes(passed=1)
    assert sorted(Path("builds.log").read_text().split()) == ["dev", "dev", "prod", "prod"]


def test_the_order_of_a_set_the_date_and_a_path_are_found(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_determinism=DETERMINISM,
        app="""
        import datetime
        import os
        from aws_cdk import App, CfnOutput, Stack

        def build(app: App, variant: str) -> None:
            for stack, value in {
                "Order": ",".join({chr(c) for c in range(97, 123)}),
                "Date": str(datetime.datetime.now().date()),
                "Path": os.getcwd(),
                "Same": "same",
            }.items():
                CfnOutput(Stack(app, stack), "Value", value=value)
        """,
    )
    result = project.runpytest_subprocess("test_determinism.py", "-o", "cdk_variants=dev")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "two synths of the same code differ:",
            "--- first/dev/Date.template.json",
            "--- first/dev/Order.template.json",
            "dev/Path.template.json: holds *, a path of this machine",
        ]
    )
    result.stdout.no_fnmatch_line("*Same.template.json*")


def test_a_synth_that_fails_is_shown(project: pytest.Pytester) -> None:
    project.makepyfile(test_determinism=DETERMINISM, app="def build(app, variant): raise ValueError('no such zone')\n")
    result = project.runpytest_subprocess("test_determinism.py")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["the first of two fresh synths failed:", "*ValueError: no such zone*"])
