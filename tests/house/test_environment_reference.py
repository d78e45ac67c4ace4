"""The reference of the environment file says what the model says."""

import importlib.util
from pathlib import Path
from types import ModuleType

from aerodrome_stacks.environment.model import Cluster, Environment, Quota

ROOT = Path(__file__).parents[2]


def _load_tool() -> ModuleType:
    # tools/ holds programs, not a package: they are run, and here loaded, from their file.
    spec = importlib.util.spec_from_file_location("environment_reference", ROOT / "tools" / "environment_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = _load_tool()


def test_the_page_is_the_one_that_the_model_gives() -> None:
    written = (ROOT / "docs" / "reference" / "environment.md").read_text(encoding="utf-8")
    assert reference.page() == written, "run .venv/bin/python tools/environment_reference.py"


def test_the_page_has_every_key_at_every_depth() -> None:
    page = reference.page()
    keys = [
        *(key for key in Environment.model_fields if key != "name"),
        *(f"cluster.{key}" for key in Cluster.model_fields),
        *(f"projects[].domains.*.{key}" for key in Quota.model_fields),
    ]
    assert [key for key in keys if f"| `{key}` |" not in page] == []


def test_the_page_says_what_may_be_left_out_and_which_values_there_are() -> None:
    page = reference.page()
    assert "| `access.oidc` | no |" in page
    assert "| `access.domain_name` | yes |" in page
    assert "Allowed: `development`, `staging`, `production`." in page
