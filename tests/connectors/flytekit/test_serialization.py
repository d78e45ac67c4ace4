"""What is registered: the templates of tasks."""

from collections import OrderedDict
from typing import Any

import pytest
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
