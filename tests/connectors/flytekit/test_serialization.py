"""What is registered: the templates of tasks."""

from collections import OrderedDict
from datetime import timedelta
from typing import Any

import pytest
from flytekit import map_task as flytekit_map_task
from flytekit import workflow
from flytekit.configuration import FastSerializationSettings, Image, ImageConfig, SerializationSettings
from flytekit.tools.translator import get_serializable

from tests.connectors.flytekit import batch_tasks

IMAGES = ImageConfig(Image("default", "tests/default", "7"))
SETTINGS = SerializationSettings(image_config=IMAGES, project="p", domain="d", version="v")
FAST = SerializationSettings(
    image_config=IMAGES,
    fast_serialization_settings=FastSerializationSettings(
        enabled=True, destination_dir=".", distribution_location="s3://code/fast.tar.gz"
    ),
)


def template(task: object, settings: SerializationSettings = SETTINGS) -> Any:  # noqa: ANN401 - flytekit's
    return get_serializable(OrderedDict(), settings, task).template


def test_a_function_says_which_job_it_is() -> None:
    found = template(batch_tasks.greet)

    assert (found.type, found.task_type_version) == ("aws-batch-job", 0)
    assert found.custom == {"spec": {}, "resources": {"vcpus": 1.0, "memory_mib": 512}}
    assert found.container.image == batch_tasks.IMAGE
    assert found.container.args[:5] == [
        *("flytekit-aws-batch-execute", "--inputs", "{{.input}}", "--output-prefix", "{{.outputPrefix}}"),
    ]
    assert found.container.args[-4:] == ["task-module", "tests.connectors.flytekit.batch_tasks", "task-name", "greet"]


def test_a_mapped_function_takes_and_gives_lists_but_for_what_is_given() -> None:
    found = template(batch_tasks.squares_in_turn)
    inputs, outputs = found.interface.inputs, found.interface.outputs

    assert found.type == "aws-batch-job"
    assert found.id.name.startswith("tests.connectors.flytekit.batch_tasks.map_square_")
    assert found.custom["mapped"] == {"inputs": ["number"], "concurrency": 2}
    assert inputs["number"].type.collection_type is not None
    assert inputs["plus"].type.collection_type is None
    assert outputs["o0"].type.collection_type.simple is not None
    assert found.container.args[:3] == ["flytekit-aws-batch-execute", "--map-over", "number"]
    assert found.metadata.retries.retries == 1


def test_a_list_whose_elements_may_fail_is_one_of_optionals() -> None:
    outputs = template(batch_tasks.most_squares).interface.outputs
    assert len(outputs["o0"].type.collection_type.union_type.variants) == 2


def test_mapping_a_function_leaves_it_as_it_was() -> None:
    template(batch_tasks.squares)
    assert "--map-over" not in template(batch_tasks.square).container.args


@pytest.mark.parametrize("task", [batch_tasks.greet, batch_tasks.squares], ids=["a function", "a mapped one"])
def test_fast_registration_brings_the_code_along_once(task: object) -> None:
    args = template(task, FAST).container.args

    assert args[:6] == [
        *("pyflyte-fast-execute", "--additional-distribution", "s3://code/fast.tar.gz", "--dest-dir", ".", "--"),
    ]
    assert args[6] == "flytekit-aws-batch-execute"
    assert args.count("pyflyte-fast-execute") == 1


def test_a_container_is_as_it_is_however_it_is_registered() -> None:
    found = template(batch_tasks.count, FAST)

    assert found.custom == {"kind": "container", "spec": {}, "resources": {"vcpus": 1.0, "memory_mib": 512}}
    assert found.container.command == []
    assert found.container.args[0] == "python"
    assert found.container.args[-2:] == ["--flytekit-aws-batch-outputs", "{{.rawOutputDataPrefix}}"]
    assert found.container.image == batch_tasks.IMAGE


def test_a_workflow_with_a_mapped_task_is_one_node_for_it() -> None:
    entities: OrderedDict[Any, Any] = OrderedDict()
    spec = get_serializable(entities, SETTINGS, batch_tasks.sum_of_squares)

    nodes = spec.template.nodes
    assert [node.id for node in nodes] == ["n0", "n1"]
    assert nodes[0].task_node.reference_id.name == template(batch_tasks.squares_in_turn).id.name
    assert {binding.var for binding in nodes[0].inputs} == {"number", "plus", "folder"}


@pytest.mark.parametrize(
    "task",
    [batch_tasks.timed, batch_tasks.all_timed, batch_tasks.timed_container],
    ids=["a function", "a list", "a container"],
)
def test_a_timeout_is_the_job_s_and_not_the_node_s_which_would_count_the_wait_for_an_instance(task: Any) -> None:  # noqa: ANN401 - flytekit's
    @workflow
    def runs() -> None:
        task(number=[1] if task is batch_tasks.all_timed else 1)

    (node,) = get_serializable(OrderedDict(), SETTINGS, runs).template.nodes
    assert not node.to_flyte_idl().metadata.HasField("timeout")
    assert node.metadata.retries.retries == 2
    assert node.metadata.name
    assert template(task).to_flyte_idl().metadata.timeout.ToTimedelta() == timedelta(minutes=10)


def test_a_timeout_of_one_call_or_of_flytekit_s_own_lists_is_the_node_s() -> None:
    timed: Any = batch_tasks.timed

    @workflow
    def overrides() -> None:
        timed(number=1).with_overrides(timeout=timedelta(minutes=5))

    by_flyte = flytekit_map_task(batch_tasks.timed)

    @workflow
    def maps() -> None:
        by_flyte(number=[1])

    (node,) = get_serializable(OrderedDict(), SETTINGS, overrides).template.nodes
    assert node.to_flyte_idl().metadata.timeout.ToTimedelta() == timedelta(minutes=5)
    (node,) = get_serializable(OrderedDict(), SETTINGS, maps).template.nodes
    element = node.to_flyte_idl().array_node.node
    assert element.metadata.timeout.ToTimedelta() == timedelta(minutes=10)
