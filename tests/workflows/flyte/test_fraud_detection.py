"""The example workflow: it runs without a cluster, and asks a cluster and AWS Batch for what it means to."""

import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from flyteidl.admin import launch_plan_pb2, task_pb2, workflow_pb2
from google.protobuf.json_format import MessageToDict

Command = Callable[..., CompletedProcess[str]]

PACKAGE = "aerodrome_workflows.fraud_detection"
MODULE = f"{PACKAGE}.training"
FILE = "workflows/aerodrome_workflows/fraud_detection/training.py"
# How pyflyte ends the names of the files of a package.
MESSAGES = {"1": task_pb2.TaskSpec, "2": workflow_pb2.WorkflowSpec, "3": launch_plan_pb2.LaunchPlan}

Entities = Mapping[tuple[str, str], Mapping[str, Any]]


def trained(pyflyte: Command, *arguments: str) -> dict[str, Any]:
    """What the workflow's last task wrote."""
    done = pyflyte("run", FILE, "train_fraud_model", *arguments)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(Path(done.stdout.split()[-1]).read_text("utf-8")))


@pytest.fixture(scope="module")
def entities(pyflyte: Command, tmp_path_factory: pytest.TempPathFactory) -> Entities:
    """What flyteadmin would get, by kind and name."""
    archive = tmp_path_factory.mktemp("package") / "package.tgz"
    done = pyflyte(
        *("--pkgs", PACKAGE, "package", "--source", "workflows", "--image", "registry.example.com/fraud:1"),
        *("--output", archive),
    )
    assert done.returncode == 0, done.stderr
    found = {}
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            kind = member.name.removesuffix(".pb").rpartition("_")[2]
            file = tar.extractfile(member)
            assert file is not None
            message = MessageToDict(MESSAGES[kind].FromString(file.read()), preserving_proto_field_name=True)
            template = message if kind == "3" else message["template"]
            found[kind, (message if kind == "3" else template)["id"]["name"].removeprefix(f"{MODULE}.")] = template
    return found


def test_a_good_model_is_released_and_the_same_seed_gives_the_same_model(pyflyte: Command) -> None:
    first = trained(pyflyte, "--transactions", "3000", "--rounds", "20")
    assert first["released"] is True
    assert 0.75 <= first["roc_auc"] < 1
    assert Path(first["model"]).name == "model.joblib"
    again = trained(pyflyte, "--transactions", "3000", "--rounds", "20")
    assert (again["roc_auc"], again["average_precision"]) == (first["roc_auc"], first["average_precision"])


def test_a_model_that_is_not_good_enough_stays_out_of_use(pyflyte: Command) -> None:
    verdict = trained(pyflyte, "--transactions", "3000", "--search", "2", "--rounds", "20", "--least_roc_auc", "0.99")
    assert verdict.keys() == {"released", "roc_auc", "least_roc_auc"}
    assert verdict["released"] is False
    assert verdict["roc_auc"] < verdict["least_roc_auc"] == 0.99


PODS = ("ingest", "features", "candidates", "choose", "evaluate", "release", "turn_down")


@pytest.fixture(scope="module")
def search(entities: Entities) -> Mapping[str, Any]:
    """The array, whose name says a part of what it is."""
    (found,) = (template for (kind, name), template in entities.items() if kind == "1" and name.startswith("map_score"))
    return found


def test_the_search_and_the_training_run_on_batch_and_the_others_as_pods(
    entities: Entities, search: Mapping[str, Any]
) -> None:
    types = {name: template["type"] for (kind, name), template in entities.items() if kind == "1"}
    own = search["id"]["name"].removeprefix(f"{MODULE}.")
    on_batch = dict.fromkeys(("score", own, "train"), "aws-batch-job")
    assert types == {**on_batch, **dict.fromkeys(PODS, "python-task")}
    launch_plans = {name for kind, name in entities if kind == "3"}
    assert launch_plans == {"train_fraud_model", "nightly"}


def test_the_search_is_one_array_of_which_a_quarter_may_fail(search: Mapping[str, Any]) -> None:
    custom = search["custom"]
    assert custom["mapped"] == {"inputs": ["candidate"], "concurrency": 20, "min_success_ratio": 0.75}
    assert custom["resources"] == {"vcpus": 2, "memory_mib": 4096}
    inputs = search["interface"]["inputs"]["variables"]
    lists = {name for name, variable in inputs.items() if "collection_type" in variable["type"]}
    assert (lists, set(inputs)) == ({"candidate"}, {"candidate", "features", "rounds"})
    # What failed has no score.
    output = search["interface"]["outputs"]["variables"]["o0"]["type"]["collection_type"]
    assert {variant["simple"] for variant in output["union_type"]["variants"] if "simple" in variant} == {
        "FLOAT",
        "NONE",
    }


def test_what_runs_on_batch_starts_as_the_connector_has_it(entities: Entities, search: Mapping[str, Any]) -> None:
    for template, name in ((entities["1", "train"], "train"), (search, "score")):
        container = template["container"]
        assert container["image"] == "registry.example.com/fraud:1"
        assert "command" not in container, "the image's entry point would come before the arguments"
        arguments = container["args"]
        assert arguments[0] == "flytekit-aws-batch-execute"
        assert arguments[arguments.index("--output-prefix") + 1] == "{{.outputPrefix}}"
        assert arguments[-5:] == ["--", "task-module", MODULE, "task-name", name]


def test_what_runs_on_batch_may_be_taken_back_and_has_an_end(entities: Entities, search: Mapping[str, Any]) -> None:
    asked = {
        name: (metadata["timeout"], metadata["retries"]["retries"], metadata["interruptible"])
        for name, metadata in (("train", entities["1", "train"]["metadata"]), ("score", search["metadata"]))
    }
    assert asked == {"train": ("7200s", 2, True), "score": ("1800s", 1, True)}


@pytest.mark.parametrize("name", ["train", "score"])
def test_a_job_has_as_many_threads_as_vcpus_and_they_do_not_spin(entities: Entities, name: str) -> None:
    template = entities["1", name]
    vcpus = template["custom"]["resources"]["vcpus"]
    environment = {variable["key"]: variable["value"] for variable in template["container"]["env"]}
    assert environment == {"OMP_NUM_THREADS": f"{vcpus:g}", "OMP_WAIT_POLICY": "PASSIVE"}


@pytest.mark.parametrize("name", ["ingest", "features", "candidates", "score", "choose", "train", "evaluate"])
def test_what_is_made_of_the_same_inputs_is_made_once(entities: Entities, name: str) -> None:
    metadata = entities["1", name]["metadata"]
    assert metadata["discoverable"] is True
    assert metadata["discovery_version"] == "2"


@pytest.mark.parametrize("name", PODS)
def test_pods_run_on_spot_nodes_within_limits(entities: Entities, name: str) -> None:
    template = entities["1", name]
    metadata = template["metadata"]
    assert metadata["interruptible"] is True
    assert (metadata["timeout"], metadata["retries"]) == ("600s", {"retries": 2})
    assert template["container"]["resources"]["limits"] == [
        {"name": "CPU", "value": "1"},
        {"name": "MEMORY", "value": "1Gi"},
    ]


def test_the_workflow_hands_files_on_and_branches_on_the_models_quality(entities: Entities) -> None:
    nodes = entities["2", "train_fraud_model"]["nodes"]
    tasks = {
        node["id"]: node["task_node"]["reference_id"]["name"].rpartition(".")[2]
        for node in nodes
        if "task_node" in node
    }
    (search,) = (name for name in tasks.values() if name.startswith("map_score"))
    assert set(tasks.values()) == {"ingest", "features", "candidates", search, "choose", "train", "evaluate"}
    (branch,) = (node["branch_node"]["if_else"] for node in nodes if "branch_node" in node)
    compared = branch["case"]["condition"]["comparison"]
    assert compared["operator"] == "GTE"
    then, otherwise = branch["case"]["then_node"], branch["else_node"]
    names = [node["task_node"]["reference_id"]["name"].rpartition(".")[2] for node in (then, otherwise)]
    assert names == ["release", "turn_down"]


def test_every_night_it_learns_from_more(entities: Entities) -> None:
    nightly = entities["3", "nightly"]["spec"]
    assert nightly["workflow_id"]["name"] == f"{MODULE}.train_fraud_model"
    assert nightly["entity_metadata"]["schedule"]["cron_schedule"]["schedule"] == "0 3 * * *"
    defaults = {
        name: value["default"]["scalar"]["primitive"] for name, value in nightly["default_inputs"]["parameters"].items()
    }
    assert defaults["transactions"] == {"integer": "200000"}
    assert defaults["search"] == {"integer": "60"}
    assert defaults["rounds"] == {"integer": "400"}
