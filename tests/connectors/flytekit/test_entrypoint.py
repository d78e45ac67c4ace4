"""What runs in a container, run as Batch runs it: by its command and its environment."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from flyteidl.core.errors_pb2 import ErrorDocument
from flyteidl.core.literals_pb2 import Literal, LiteralCollection, LiteralMap, Primitive, Scalar
from flytekit.bin import entrypoint as flytekit_entrypoint

from flytekit_aws_batch.entrypoint import is_repeated, main, node_variables
from tests.connectors.flytekit import batch_tasks
from tests.connectors.flytekit.narrow_s3 import NarrowS3

COMMAND = Path(sys.executable).with_name("flytekit-aws-batch-execute")


def number(value: int) -> Literal:
    return Literal(scalar=Scalar(primitive=Primitive(integer=value)))


def text(value: str) -> Literal:
    return Literal(scalar=Scalar(primitive=Primitive(string_value=value)))


def listed(*literals: Literal) -> Literal:
    return Literal(collection=LiteralCollection(literals=literals))


class Container:
    """A container of a job, whose S3 is a folder, unless it is told of another."""

    def __init__(self, folder: Path, /, **inputs: Literal) -> None:
        self.prefix = folder / "outputs"
        self.place = str(self.prefix)
        self.inputs = folder / "inputs.pb"
        self.inputs.write_bytes(LiteralMap(literals=inputs).SerializeToString())

    def wave(self, number: int, indices: list[int]) -> dict[str, str]:
        """Write a wave's file, and give what Batch then sets."""
        path = self.prefix / "aws-batch" / f"wave-{number}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"number": number, "indices": indices}))
        return {"FLYTE_AWS_BATCH_PREFIX": str(self.prefix), "FLYTE_AWS_BATCH_WAVE": str(number)}

    def run(self, task: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command: list[str | Path] = [
            COMMAND,
            *options,
            *("--inputs", self.inputs),
            *("--output-prefix", self.place),
            *("--raw-output-data-prefix", f"{self.place}/raw"),
            *("--checkpoint-path", f"{self.place}/checkpoint"),
            *("--prev-checkpoint", '""'),
            *("--resolver", "flytekit.core.python_auto_container.default_task_resolver"),
            *("--", "task-module", batch_tasks.__name__, "task-name", task),
        ]
        environment = {**batch_tasks.ENVIRONMENT, "PATH": "/usr/bin:/bin", "HOME": str(self.prefix.parent), **variables}
        return subprocess.run(
            command, env=environment, cwd=self.prefix.parent, check=False, capture_output=True, text=True
        )

    def output(self, folder: str = "") -> object:
        outputs = LiteralMap.FromString((self.prefix / folder / "outputs.pb").read_bytes())
        primitive = outputs.literals["o0"].scalar.primitive
        return getattr(primitive, primitive.WhichOneof("value"))

    def error(self, folder: str = "") -> str:
        return str(ErrorDocument.FromString((self.prefix / folder / "error.pb").read_bytes()).error.message)


def test_a_function_runs(tmp_path: Path) -> None:
    container = Container(tmp_path, name=text("you"))
    assert container.run("greet").returncode == 0
    assert container.output() == "hello you from here"


def test_a_function_that_fails_fails_its_container_and_says_why(tmp_path: Path) -> None:
    container = Container(tmp_path, name=text("nobody"))
    assert container.run("greet").returncode == 1
    assert "nobody is there" in container.error()


def test_an_element_is_found_in_the_wave_s_file(tmp_path: Path) -> None:
    container = Container(tmp_path, number=listed(*map(number, range(10, 20))), plus=number(0), folder=text(""))
    variables = container.wave(2, [3, 7, 9])
    done = container.run("square", "--map-over", "number", **variables, AWS_BATCH_JOB_ARRAY_INDEX="1")

    assert done.returncode == 0, done.stderr
    assert container.output("7") == 17 * 17


def test_a_list_of_one_has_no_array_index(tmp_path: Path) -> None:
    container = Container(tmp_path, number=listed(*map(number, range(10, 20))), plus=number(1), folder=text(""))
    variables = container.wave(0, [4])
    assert container.run("square", "--map-over", "number", **variables, FLYTE_AWS_BATCH_INDEX="0").returncode == 0
    assert container.output("4") == 14 * 14 + 1


def test_a_list_that_flyte_put_away_is_read(tmp_path: Path) -> None:
    away = tmp_path / "number.pb"
    away.write_bytes(listed(number(5), number(6)).SerializeToString())
    literal = Literal()
    literal.offloaded_metadata.uri = str(away)
    container = Container(tmp_path, number=literal, plus=number(0), folder=text(""))
    variables = container.wave(0, [0, 1])

    done = container.run("square", "--map-over", "number", **variables, AWS_BATCH_JOB_ARRAY_INDEX="1")
    assert done.returncode == 0, done.stderr
    assert container.output("1") == 36


def test_what_an_earlier_try_said_of_its_end_is_forgotten(tmp_path: Path) -> None:
    container = Container(tmp_path, name=text("you"))
    container.prefix.mkdir()
    error = container.prefix / "error.pb"
    error.write_bytes(b"")
    assert container.run("greet", AWS_BATCH_JOB_ATTEMPT="1").returncode == 0
    assert error.exists()

    assert container.run("greet", AWS_BATCH_JOB_ATTEMPT="2").returncode == 0
    assert not error.exists()


@pytest.mark.parametrize(
    ("variables", "repeated"),
    [
        ({}, False),
        ({"AWS_BATCH_JOB_ATTEMPT": "1", "FLYTE_AWS_BATCH_WAVE": "0"}, False),
        ({"AWS_BATCH_JOB_ATTEMPT": "2", "FLYTE_AWS_BATCH_WAVE": "0"}, True),
        # The first attempt of Batch's in a later submission.
        ({"AWS_BATCH_JOB_ATTEMPT": "1", "FLYTE_AWS_BATCH_WAVE": "1"}, True),
    ],
)
def test_a_further_attempt_and_a_further_wave_are_repeats(variables: Mapping[str, str], *, repeated: bool) -> None:
    assert is_repeated(variables) is repeated


@pytest.mark.parametrize(("attempt", "steps"), [("1", 1), ("2", 2)])
def test_what_is_started_anew_finds_its_checkpoint(tmp_path: Path, attempt: str, steps: int) -> None:
    container = Container(tmp_path)
    assert container.run("step").returncode == 0
    assert container.output() == 1

    done = container.run("step", AWS_BATCH_JOB_ATTEMPT=attempt)
    assert done.returncode == 0, done.stderr
    assert container.output() == steps


@pytest.fixture
def s3() -> Iterator[NarrowS3]:
    """S3 that tells a project's role no more than it may know."""
    with NarrowS3() as started:
        yield started


@pytest.mark.parametrize("left", [{}, {"data/0/error.pb": b""}])
def test_a_project_s_role_runs_again_what_left_an_error_or_none(
    tmp_path: Path, s3: NarrowS3, left: Mapping[str, bytes]
) -> None:
    container = Container(tmp_path, name=text("you"))
    container.place = "s3://data/0"
    s3.objects.update(left)

    done = container.run("greet", **s3.variables, AWS_BATCH_JOB_ATTEMPT="2")
    assert done.returncode == 0, done.stderr
    assert "data/0/outputs.pb" in s3.objects
    assert "data/0/error.pb" not in s3.objects


def test_a_project_s_role_finds_its_checkpoint_if_there_is_one(tmp_path: Path, s3: NarrowS3) -> None:
    container = Container(tmp_path)
    container.place = "s3://data/0"
    for steps in (1, 2):
        done = container.run("step", **s3.variables, AWS_BATCH_JOB_ATTEMPT="2")
        assert done.returncode == 0, done.stderr
        literals = LiteralMap.FromString(s3.objects["data/0/outputs.pb"]).literals
        assert literals["o0"].scalar.primitive.integer == steps


def test_a_project_s_role_runs_an_element_again_and_leaves_the_others_errors(tmp_path: Path, s3: NarrowS3) -> None:
    container = Container(tmp_path, number=listed(*map(number, range(10, 20))), plus=number(0), folder=text(""))
    container.place = "s3://data/0"
    wave = json.dumps({"number": 1, "indices": [3, 7]}).encode()
    s3.objects.update({"data/0/aws-batch/wave-1.json": wave, "data/0/3/error.pb": b"", "data/0/7/error.pb": b""})

    variables = {"FLYTE_AWS_BATCH_PREFIX": container.place, "FLYTE_AWS_BATCH_WAVE": "1"}
    done = container.run("square", "--map-over", "number", **s3.variables, **variables, AWS_BATCH_JOB_ARRAY_INDEX="1")
    assert done.returncode == 0, done.stderr
    assert "data/0/7/outputs.pb" in s3.objects
    assert {name for name in s3.objects if name.endswith("error.pb")} == {"data/0/3/error.pb"}


def test_a_node_that_is_not_the_main_one_writes_beside(tmp_path: Path, s3: NarrowS3) -> None:
    (tmp_path / "ring").mkdir()
    container = Container(tmp_path, folder=text(str(tmp_path / "ring")))
    container.place = "s3://data/0"
    done = container.run(
        "ring",
        **s3.variables,
        AWS_BATCH_JOB_NODE_INDEX="2",
        AWS_BATCH_JOB_MAIN_NODE_INDEX="0",
        AWS_BATCH_JOB_NUM_NODES="3",
        AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS="10.0.0.1",
    )
    assert done.returncode == 0, done.stderr
    outputs = LiteralMap.FromString(s3.objects["data/0/node-2/outputs.pb"]).literals
    assert outputs["o0"].scalar.primitive.string_value == "2 of 3 at 10.0.0.1:29500"
    assert "data/0/outputs.pb" not in s3.objects


@pytest.mark.parametrize(("main_node", "ranks"), [(0, [0, 1, 2]), (1, [1, 0, 2]), (2, [1, 2, 0])])
def test_the_main_node_is_rank_0(main_node: int, ranks: list[int]) -> None:
    of_all = {"AWS_BATCH_JOB_MAIN_NODE_INDEX": str(main_node), "AWS_BATCH_JOB_NUM_NODES": "3"}
    found = [node_variables({**of_all, "AWS_BATCH_JOB_NODE_INDEX": str(node)}) for node in range(3)]
    assert [int(each["RANK"]) for each in found] == ranks
    assert {each["WORLD_SIZE"] for each in found} == {"3"}
    assert node_variables({}) == {}


def test_every_option_of_flytekit_s_command_is_passed_on() -> None:
    theirs = {option.name for option in flytekit_entrypoint.execute_task_cmd.params}
    ours = {option.name for option in main.params}
    assert theirs - ours == {"test"}
    assert ours - theirs == {"mapped"}


def test_whoever_imports_flytekit_does_not_wait_for_what_the_connector_needs_alone() -> None:
    # In each container of a list: botocore and its kind take a good part of a second.
    show = (
        "import flytekit, flytekit_aws_batch.entrypoint, sys; "
        "print('flytekit_aws_batch.task' in sys.modules, 'botocore' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", show], check=True, capture_output=True, text=True)
    assert shown.stdout.split() == ["True", "False"]
