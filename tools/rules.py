"""Checks and tests Prometheus' rules and the queries of dashboards with promtool: ``make rules``.

The chart ``aerodrome-monitoring`` is rendered for every environment by the helm that installs it. promtool reads what
comes out, and runs the unit tests in ``tests/rules/``, which feed the rules with series and say what must come of them.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from aerodrome_stacks.chart_values.monitoring import monitoring
from aerodrome_stacks.environment import load_environment
from dashboards import dashboard, queries, sources
from kubectl_layer import kubectl_layer
from promtool import NoPromtoolError, promtool

ROOT: Final = Path(__file__).resolve().parents[1]
CHART: Final = ROOT / "charts" / "aerodrome-monitoring"
TESTS: Final = ROOT / "tests" / "rules"
BUILD: Final = ROOT / "build" / "rules"

Manifest = dict[str, Any]


def rendered(environment: str) -> list[Manifest]:
    """The manifests of the chart in an environment.

    Raises:
        subprocess.CalledProcessError: helm refuses the chart or its values.
    """
    values = monitoring(load_environment(environment, ROOT / "environments"))
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(values, file)
        file.flush()
        done = subprocess.run(
            [kubectl_layer().helm, "template", CHART.name, CHART, "--namespace", "monitoring", "--values", file.name],
            check=True,
            capture_output=True,
            text=True,
        )
    return [manifest for manifest in yaml.load_all(done.stdout, yaml.CSafeLoader) if manifest]


def rule_files(manifests: Sequence[Mapping[str, Any]]) -> dict[str, Manifest]:
    """What Prometheus reads of each PrometheusRule, by its name."""
    return {one["metadata"]["name"]: one["spec"] for one in manifests if one["kind"] == "PrometheusRule"}


def queries_as_rules() -> dict[str, Manifest]:
    """The queries of each dashboard as recording rules, which promtool reads."""
    files = {}
    for source in sources():
        rules = [
            {"record": f"panel:{number}", "expr": query.promql, "labels": {"panel": query.where}}
            for number, query in enumerate(queries(dashboard(source)), 1)
        ]
        files[f"dashboard-{source.stem}"] = {"groups": [{"name": source.stem, "rules": rules}]}
    return files


def write(folder: Path, files: Mapping[str, Manifest]) -> list[Path]:
    """Write rule files into a folder of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.yaml"):
        old.unlink()
    written = []
    for name, content in files.items():
        file = folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump(content, sort_keys=False, width=4096), encoding="utf-8")
        written.append(file)
    return written


def environments() -> list[str]:
    """The names of all environments."""
    return sorted(file.stem for file in (ROOT / "environments").glob("*.yaml"))


def failures(program: Path) -> Iterator[str]:
    """What promtool has to say against rules, dashboards and tests."""
    for environment in environments():
        files = write(BUILD / environment, rule_files(rendered(environment)))
        yield from _refused(program, "check", "rules", "--lint=all", "--lint-fatal", *map(str, files))
    panels = write(BUILD / "dashboards", queries_as_rules())
    yield from _refused(program, "check", "rules", "--lint=none", *map(str, panels))
    tests = sorted(TESTS.glob("*.test.yaml"))
    if not tests:
        yield f"there is no test in {TESTS.relative_to(ROOT)}"
    yield from _refused(program, "test", "rules", *map(str, tests))


def _refused(program: Path, *arguments: str) -> Iterator[str]:
    done = subprocess.run([program, *arguments], check=False, capture_output=True, text=True, timeout=300)
    if done.returncode:
        yield f"promtool {' '.join(arguments[:2])}:\n{done.stdout}{done.stderr}"


def main() -> int:
    """Check everything.

    Returns:
        0, or 1 if something is wrong or there is no promtool.
    """
    try:
        program = promtool()
    except NoPromtoolError as error:
        print(f"aerodrome: {error}", file=sys.stderr)
        return 1
    found = list(failures(program))
    for failure in found:
        print(failure, file=sys.stderr)
    if not found:
        counted = len(list(BUILD.rglob("*.yaml")))
        print(f"{counted} files of rules and queries are sound, and their tests pass ({program})")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
