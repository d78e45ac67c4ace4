"""Each option that is wrong is answered with a sentence."""

from pathlib import Path

import pytest

from pytest_cdk import PytestCdkError
from pytest_cdk.settings import read_context
from pytest_cdk.synth import load_app_function


@pytest.mark.parametrize(
    ("app", "message"),
    [
        ("", "the option cdk_app is ''; name the function that builds the app"),
        ("app.py", "the option cdk_app is 'app.py'; name the function that builds the app"),
        ("nowhere.app:build", "no module 'nowhere.app', which the option cdk_app names; install the project"),
        ("main.py:build", "main.py does not exist; the option cdk_app names it"),
        ("app.py:bild", "app.py has no function 'bild'; there are: build; did you mean build?"),
        ("json:Encoder", "json has no function 'Encoder'; there are: "),
    ],
)
def test_an_app_function_that_is_not_there(tmp_path: Path, app: str, message: str) -> None:
    (tmp_path / "app.py").write_text("def build(app, variant): ...\nNAME = 'shop'\n")
    with pytest.raises(PytestCdkError) as caught:
        load_app_function(app, tmp_path)
    assert message in str(caught.value)


def test_an_app_function_is_found_in_a_file_and_in_a_module(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def build(app, variant): ...\n")
    assert load_app_function("app.py:build", tmp_path).__name__ == "build"
    assert load_app_function("pytest_cdk.settings:read_context", tmp_path).__name__ == "read_context"


def test_an_app_that_lacks_an_import_of_its_own_keeps_its_traceback(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import a_module_that_is_not_installed\n")
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_not_installed"):
        load_app_function("app.py:build", tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cdk.json does not exist; name the app's file with the option cdk_json"),
        ('{"context": }', "cdk.json:1: not JSON: Expecting value"),
        ("[1]", 'cdk.json: expected an object with an object "context", got [1]'),
        ('{"context": "on"}', 'cdk.json: expected an object with an object "context", got {"context": "on"}'),
    ],
)
def test_a_cdk_json_that_is_wrong(tmp_path: Path, text: str | None, message: str) -> None:
    file = tmp_path / "cdk.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(PytestCdkError) as caught:
        read_context(file)
    assert message in str(caught.value)


def test_a_cdk_json_without_context_has_none(tmp_path: Path) -> None:
    file = tmp_path / "cdk.json"
    file.write_text('{"app": "python app.py"}')
    assert read_context(file) == {}
    file.write_text('{"context": {"colour": "green"}}')
    assert read_context(file) == {"colour": "green"}
