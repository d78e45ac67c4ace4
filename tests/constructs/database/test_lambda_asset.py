import importlib.metadata
import re
from pathlib import Path

import pytest

from aerodrome_constructs.database import lambda_asset
from tests.constructs.functions.alone import problem_of_importing

HANDLERS = {"provisioner_handler", "rotation_handler"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authorities") / "region.pem"
    path.write_text("certificates")
    return path


@pytest.fixture(scope="module")
def asset(bundle: Path) -> Path:
    return lambda_asset.build(bundle)


@pytest.mark.parametrize("handler", [lambda_asset.PROVISIONER, lambda_asset.ROTATION])
def test_a_function_is_importable_with_what_the_asset_holds(asset: Path, handler: str) -> None:
    assert problem_of_importing(handler, asset) == ""


def test_it_holds_everything_that_pg8000_needs() -> None:
    needed, found = ["pg8000"], set[str]()
    while needed:
        name = needed.pop()
        found.add(name)
        requirements = [each for each in importlib.metadata.requires(name) or () if "extra ==" not in each]
        needed.extend(re.split(r"[^A-Za-z0-9_-]", requirement)[0] for requirement in requirements)
    assert found == set(lambda_asset.LIBRARIES)


def test_it_holds_each_librarys_licence(asset: Path) -> None:
    for library in lambda_asset.LIBRARIES:
        (directory,) = asset.glob(f"{library.replace('-', '_')}-*.dist-info")
        assert [file for file in directory.rglob("*") if file.name.upper().startswith(("LICENSE", "COPYING"))], library


def test_it_holds_source_and_nothing_of_the_installation(asset: Path) -> None:
    files = [file.relative_to(asset) for file in asset.rglob("*") if file.is_file()]
    assert Path("pg8000/native.py") in files
    code = [file for file in files if ".dist-info" not in file.parts[0] and file.name != lambda_asset.CA_BUNDLE]
    assert {file.suffix for file in code} == {".py"}
    assert not [file for file in files if file.name in {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}]
    assert not [file for file in files if "__pycache__" in file.parts]
    ours = [file for file in files if file.parts[0] == "aerodrome_constructs"]
    assert {file.parts[2] for file in ours} == HANDLERS


def test_the_bundle_is_where_the_functions_variable_says(asset: Path) -> None:
    assert (asset / lambda_asset.CA_BUNDLE).read_text() == "certificates"


def test_a_library_that_is_no_longer_pure_python_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bundle = tmp_path / "another.pem"  # an asset that no test has built yet
    bundle.write_text("certificates")
    compiled = importlib.metadata.PackagePath("pg8000/fast.so")
    monkeypatch.setattr(importlib.metadata, "files", lambda _name: [compiled])
    with pytest.raises(RuntimeError, match=r"pg8000 holds pg8000/fast\.so: only pure Python"):
        lambda_asset.build(bundle)


def test_two_builds_have_the_same_files_with_the_same_contents(asset: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "third.pem"
    bundle.write_text("certificates")
    again = lambda_asset.build(bundle)
    assert again != asset
    first, second = (
        {file.relative_to(root): file.read_bytes() for file in root.rglob("*") if file.is_file()}
        for root in (asset, again)
    )
    assert first == second
