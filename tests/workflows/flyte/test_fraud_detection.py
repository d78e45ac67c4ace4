"""The example workflow: it runs without a cluster, and asks a cluster and AWS Batch for what it means to."""

import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import botocore.session
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
    verdict = trained(pyflyte, "--transactions", "3000", "--rounds", "20", "--least_roc_auc", "0.99")
    assert verdict.keys() == {"released", "roc_auc", "least_roc_auc"}
    assert verdict["released"] is False
    assert verdict["roc_auc"] < verdict["least_roc_auc"] == 0.99


def test_one_task_runs_on_batch_and_the_others_as_pods(entities: Entities) -> None:
    types = {name: template["type"] for (kind, name), template in entities.items() if kind == "1"}
    pods = ("ingest", "features", "evaluate", "release", "turn_down")
    assert types == {"train": "aws-batch", **dict.fromkeys(pods, "python-task")}
    launch_plans = {name for kind, name in entities if kind == "3"}
    assert launch_plans == {"train_fraud_model", "nightly"}


def test_the_batch_task_asks_for_what_the_plugin_reads(entities: Entities) -> None:
    """flyteplugins/go/tasks/plugins/array/awsbatch/transformer.go of Flyte 1.16.8, ``FlyteTaskToBatchInput``."""
    train = entities["1", "train"]
    container = train["container"]
    assert container["image"] == "registry.example.com/fraud:1"
    assert container["resources"] == {
        "limits": [{"name": "CPU", "value": "4"}, {"name": "MEMORY", "value": "14Gi"}],
    }
    assert container["env"] == [{"key": "OMP_NUM_THREADS", "value": "4"}]
    assert "command" not in container, "the image's entry point would come before the arguments"
    arguments = container["args"]
    # Propeller reads the outputs of a single job where those of an array's first job would be.
    assert arguments[arguments.index("--output-prefix") + 1] == "{{.outputPrefix}}/0"
    assert arguments[-5:] == ["--", "task-module", MODULE, "task-name", "train"]
    metadata = train["metadata"]
    assert (metadata["timeout"], metadata["retries"]) == ("7200s", {"retries": 3})
    assert "discoverable" not in metadata, "the plugin fails what it has to cache"
    assert "interruptible" not in metadata, "the queue decides"
    assert "k8s_pod" not in train


def test_the_batch_tasks_configuration_is_a_call_of_submit_job(entities: Entities) -> None:
    train = entities["1", "train"]
    # The plugin registers the job definition by this one, and unmarshals `custom` into a SubmitJobInput.
    assert train["config"] == {"platformCapabilities": "EC2"}
    custom = {name: value for name, value in train["custom"].items() if value is not None}
    assert custom.pop("platformCapabilities") == "EC2"
    tags = {"aerodrome:project": "fraud-detection", "workload": "fraud-training"}
    assert custom == {"propagateTags": True, "tags": tags}
    submit_job = botocore.session.get_session().get_service_model("batch").operation_model("SubmitJob").input_shape
    assert submit_job is not None
    assert set(custom) <= set(submit_job.members)


@pytest.mark.parametrize("name", ["ingest", "features", "evaluate"])
def test_what_is_made_of_the_same_inputs_is_made_once(entities: Entities, name: str) -> None:
    metadata = entities["1", name]["metadata"]
    assert metadata["discoverable"] is True
    assert metadata["discovery_version"] == "1"


@pytest.mark.parametrize("name", ["ingest", "features", "evaluate", "release", "turn_down"])
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
    assert sorted(tasks.values()) == ["evaluate", "features", "ingest", "train"]
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
    assert defaults["rounds"] == {"integer": "400"}
