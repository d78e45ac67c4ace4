"""The model of how far AWS Batch carries, and the page that shows it."""

import importlib.util
import sys
from types import ModuleType

import pytest

from tests.templates import ROOT


def _load_tool() -> ModuleType:
    # tools/ holds programs, not a package: they are run, and here loaded, from their file.
    spec = importlib.util.spec_from_file_location("batch_scale", ROOT / "tools" / "batch_scale.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


scale = _load_tool()


def test_the_page_shows_what_the_model_gives() -> None:
    written = scale.PAGE.read_text(encoding="utf-8")
    assert scale.page(written) == written, "run .venv/bin/python tools/batch_scale.py"


def test_forty_million_a_month_do_not_go_without_arrays() -> None:
    one, forty = scale.LOADS
    assert one.submits(1) < scale.SUBMITS_PER_SECOND / 2
    assert forty.submits(1) > 3 * scale.SUBMITS_PER_SECOND
    assert forty.submits(40) < scale.SUBMITS_PER_SECOND / 12
    assert forty.submits(forty.smallest_array) <= scale.SUBMITS_PER_SECOND / 2 < forty.submits(forty.smallest_array - 1)


def test_the_arithmetic_by_hand() -> None:
    load = scale.Load(containers=2_592_000, seconds=100, vcpus=4, peak=5)
    assert load.average == 1
    assert load.busiest == 5
    assert load.events == 20
    assert load.running == 500
    assert load.peak_vcpus == 2_000
    assert load.steady_vcpus == pytest.approx(500)
    assert load.peak_clusters == 1


def test_what_the_page_says_in_words_is_what_the_model_gives() -> None:
    forty = scale.LOADS[1]
    words = {
        "three times too much": int(forty.submits(1) / scale.SUBMITS_PER_SECOND) == 3,
        "eight times the vCPUs": round(forty.peak_vcpus / forty.steady_vcpus) == 8,
        "185,000 against 23,000": (round(forty.peak_vcpus, -3), round(forty.steady_vcpus, -3)) == (185_000, 23_000),
        "used up twice": int(forty.plugin_looks / scale.PLUGIN_LOOKS_PER_SECOND) == 2,
        "56 % of what": round(100 * forty.events / scale.INVOCATIONS_PER_SECOND[1]) == 56,
    }
    text = " ".join(scale.PAGE.read_text(encoding="utf-8").split())
    assert [phrase for phrase in words if phrase not in text] == []
    assert [phrase for phrase, holds in words.items() if not holds] == []


def test_the_limits_are_those_that_the_synth_holds_to() -> None:
    rule = (ROOT / "constructs/aerodrome_constructs/policy/batch_limits.py").read_text(encoding="utf-8")
    assert f"range(2, {scale.LARGEST_ARRAY + 1:_})" in rule
    assert f"_ENVIRONMENTS_OF_A_QUEUE: Final = {scale.COMPUTE_ENVIRONMENTS_OF_A_QUEUE}" in rule
