"""What the page about Flyte's control plane says of the load classes is what they are."""

from collections.abc import Callable, Mapping

import pytest

from aerodrome_stacks.environment.flyte import LOADS, FlyteLoad
from tests.templates import ROOT

PAGE = ROOT / "docs" / "explanation" / "flyte-control-plane.md"

TOLD: Mapping[str, Callable[[FlyteLoad], str]] = {
    "tasks held at once": lambda load: f"{load.tasks_held}",
    "flytepropeller: memory, asked for and given": lambda load: f"{load.propeller_memory_gib} GiB",
    "flytepropeller: CPUs asked for, and at most": lambda load: f"{load.propeller_cpus}, {2 * load.propeller_cpus}",
    "workers": lambda load: f"{load.workers}",
    "requests a second to the Kubernetes API, and at once": lambda load: f"{load.kube_qps}, {load.kube_burst}",
    "metadata kept in memory": lambda load: f"{load.cache_mib} MiB",
    "flyteadmin: pods, at most": lambda load: f"{load.flyteadmin_most}",
    "connections of a pod of flyteadmin, and of datacatalog": (
        lambda load: f"{load.flyteadmin_connections}, {load.datacatalog_connections}"
    ),
}


@pytest.mark.parametrize("name", TOLD)
def test_the_page_has_the_numbers_of_every_class(name: str) -> None:
    rows = [line.strip().strip("|").split("|") for line in PAGE.read_text(encoding="utf-8").splitlines()]
    (row,) = [[cell.strip() for cell in cells[1:]] for cells in rows if cells[0].strip() == name]

    assert row == [TOLD[name](LOADS[load]) for load in ("small", "medium", "large")]


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS.keys())
def test_a_class_keeps_to_what_was_measured(load: FlyteLoad) -> None:
    # 8 GiB for 1,000 tasks that are held (flyte-benchmarks), and 100 to 200 workers for each CPU (Flyte's guide).
    assert load.tasks_held * 8 == load.propeller_memory_gib * 1000
    assert 100 <= load.workers / load.propeller_cpus <= 200
