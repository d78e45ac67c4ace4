"""Flyte's own entrypoint ends as the task does, told by a variable that the connector gives to jobs."""

import os
import subprocess
from pathlib import Path

from flyteidl2.core.literals_pb2 import Literal, Primitive, Scalar
from flyteidl2.task.common_pb2 import Inputs, NamedLiteral, Outputs

from tests.connectors.flyte2.laptop import COMMANDS, EXAMPLE


def given(folder: Path, **inputs: int | str) -> None:
    """Write the inputs of an attempt."""
    literals = [
        NamedLiteral(name=name, value=Literal(scalar=Scalar(primitive=primitive)))
        for name, value in inputs.items()
        for primitive in [Primitive(integer=value) if isinstance(value, int) else Primitive(string_value=value)]
    ]
    (folder / "inputs.pb").write_bytes(Inputs(literals=literals).SerializeToString())


def run(folder: Path, task: str) -> subprocess.CompletedProcess[str]:
    """The command, as a template has it."""
    where = ("--inputs", folder / "inputs.pb", "--outputs-path", folder, "--raw-data-path", folder / "raw")
    who = ("--version", "1", "--run-name", "r", "--name", "a1", "--org", "o", "--project", "p", "--domain", "d")
    resolver = ("--resolver", "flyte._internal.resolvers.default.DefaultTaskResolver", "mod", "batch_tasks")
    return subprocess.run(
        [
            COMMANDS / "a0",
            *where,
            *who,
            *("--run-base-dir", folder),
            *(*resolver, "instance", task),
        ],
        env={
            **os.environ,
            "PYTHONPATH": str(EXAMPLE.parent),
            "HOME": str(folder),
            "DO_NOT_TRACK": "1",
            "FLYTE_CLUSTERED_WORKER": "1",
        },
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )


def test_a_task_that_raises_ends_the_job_with_1_and_the_next_start_with_0(tmp_path: Path) -> None:
    given(tmp_path, reason="no such customer")
    failed = run(tmp_path, "reject")
    left = (tmp_path / "error.pb").exists()
    # Batch starts a job anew in the same folder.
    given(tmp_path, number=21)
    succeeded = run(tmp_path, "double")

    assert (failed.returncode, left) == (1, True), failed.stderr
    assert (succeeded.returncode, (tmp_path / "error.pb").exists()) == (0, False), succeeded.stderr
    (output,) = Outputs.FromString((tmp_path / "outputs.pb").read_bytes()).literals
    assert output.value.scalar.primitive.integer == 42
