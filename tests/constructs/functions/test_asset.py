from pathlib import Path

import pytest

from aerodrome_constructs.batch.cleaner import HANDLER as CLEANER
from aerodrome_constructs.functions.asset import copy_package, package_asset
from aerodrome_constructs.ingest.manifest_ingest import HANDLER as MANIFESTS
from aerodrome_constructs.job_monitoring.function import COUNTER, WATCH
from tests.constructs.functions.alone import problem_of_importing


def files_in(root: Path) -> dict[str, bytes]:
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*") if file.is_file()}


@pytest.mark.parametrize("handler", [CLEANER, MANIFESTS, COUNTER, WATCH])
def test_a_function_is_importable_with_its_own_package_alone(handler: str) -> None:
    package = handler.rsplit(".", 2)[0]
    asset = package_asset(package)
    assert problem_of_importing(handler, asset) == ""
    assert {str(Path(name).parent) for name in files_in(asset)} == {package.replace(".", "/")}


def test_what_an_asset_lacks_is_found(tmp_path: Path) -> None:
    copy_package(COUNTER.rsplit(".", 2)[0], tmp_path)
    (module,) = tmp_path.rglob("counting.py")
    module.unlink()
    assert "No module named 'aerodrome_constructs.job_monitoring.metrics_handler.counting'" in problem_of_importing(
        COUNTER, tmp_path
    )


def test_an_asset_is_the_same_wherever_it_is_laid_out(tmp_path: Path) -> None:
    package = COUNTER.rsplit(".", 2)[0]
    copy_package(package, tmp_path)
    assert files_in(tmp_path) == files_in(package_asset(package))


def test_only_source_is_copied_of_a_package_and_of_those_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "source" / "some_handler"
    for name in ("__init__.py", "handler.py", "notes.md", "__pycache__/handler.pyc", "parts/__init__.py"):
        file = package / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    monkeypatch.syspath_prepend(package.parent)
    copy_package("some_handler", tmp_path / "asset")
    assert sorted(files_in(tmp_path / "asset")) == [
        "some_handler/__init__.py",
        "some_handler/handler.py",
        "some_handler/parts/__init__.py",
    ]


@pytest.mark.parametrize("name", ["aerodrome_constructs.batch.nobody_home", "aerodrome_constructs.batch.cleaner"])
def test_what_is_no_package_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"'{name}' is no package; name the one that the function's handler is in"):
        copy_package(name, tmp_path)
