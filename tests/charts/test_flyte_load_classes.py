"""What the pages say of the load classes is what they are."""

from collections.abc import Callable, Mapping

import pytest

from aerodrome_stacks.environment.connections import clients_of
from aerodrome_stacks.environment.flyte import LOADS, FlyteLoad, LoadClass
from tests.templates import ROOT

PAGES = ROOT / "docs" / "explanation"

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


CLASSES: tuple[LoadClass, ...] = ("small", "medium", "large")


def row(page: str, name: str) -> list[str]:
    """What a page's table says of each class."""
    rows = [line.strip().strip("|").split("|") for line in (PAGES / page).read_text(encoding="utf-8").splitlines()]
    (found,) = [[cell.strip() for cell in cells[1:]] for cells in rows if cells[0].strip() == name]
    return found


@pytest.mark.parametrize("name", TOLD)
def test_the_page_has_the_numbers_of_every_class(name: str) -> None:
    assert row("flyte-control-plane.md", name) == [TOLD[name](LOADS[load]) for load in CLASSES]


@pytest.mark.parametrize("name", ["flyteadmin", "flytescheduler", "syncresources", "datacatalog"])
def test_the_page_of_the_database_has_the_connections_of_every_class(name: str) -> None:
    of = [{clients.name: clients for clients in clients_of(LOADS[load])}[name] for load in CLASSES]

    assert row("database.md", name) == [f"{one.pods} x {one.connections} = {one.most}" for one in of]


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS.keys())
def test_a_class_keeps_to_what_was_measured(load: FlyteLoad) -> None:
    # 8 GiB for 1,000 tasks that are held (flyte-benchmarks), and 100 to 200 workers for each CPU (Flyte's guide).
    assert load.tasks_held * 8 == load.propeller_memory_gib * 1000
    assert 100 <= load.workers / load.propeller_cpus <= 200
