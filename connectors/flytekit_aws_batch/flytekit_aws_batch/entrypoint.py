"""What runs in the container of a Python function: finds its element or its node, and hands over to flytekit."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import click
from flyteidl.core.literals_pb2 import Literal, LiteralMap
from flytekit.bin.entrypoint import execute_task_cmd
from flytekit.core.constants import FLYTE_FAIL_ON_ERROR
from flytekit.core.context_manager import FlyteContextManager

from flytekit_aws_batch.closing import close_at_exit
from flytekit_aws_batch.config import ERROR_FILE, MAP_OPTION, node_prefix
from flytekit_aws_batch.core.plan import Wave, folder_of, wave_name
from flytekit_aws_batch.core.requests import INDEX_VARIABLE, PREFIX_VARIABLE, WAVE_VARIABLE

# Batch sets these (https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html).
_ARRAY_INDEX = "AWS_BATCH_JOB_ARRAY_INDEX"
_ATTEMPT = "AWS_BATCH_JOB_ATTEMPT"
_NODE = "AWS_BATCH_JOB_NODE_INDEX"
_NODES = "AWS_BATCH_JOB_NUM_NODES"
_MAIN_NODE = "AWS_BATCH_JOB_MAIN_NODE_INDEX"
_MAIN_ADDRESS = "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"

# torchrun's default.
_PORT = "29500"


@click.command(context_settings={"allow_interspersed_args": False})
@click.option(MAP_OPTION, "mapped", help="The inputs that are lists, with commas between them.")
@click.option("--inputs", required=True)
@click.option("--output-prefix", required=True)
@click.option("--raw-output-data-prefix")
@click.option("--checkpoint-path")
@click.option("--prev-checkpoint")
@click.option("--dynamic-addl-distro")
@click.option("--dynamic-dest-dir")
@click.option("--resolver", required=True)
@click.argument("resolver-args", type=click.UNPROCESSED, nargs=-1)
def main(
    *,
    mapped: str | None,
    inputs: str,
    output_prefix: str,
    checkpoint_path: str | None,
    prev_checkpoint: str | None,
    resolver_args: tuple[str, ...],
    **others: str | None,
) -> None:
    """Run a task in its container as pyflyte-execute does: an element of a list, on one node of many, or just so."""
    os.environ[FLYTE_FAIL_ON_ERROR] = "true"
    for name, value in node_variables(os.environ).items():
        os.environ.setdefault(name, value)
    if mapped is not None:
        index = element(os.environ)
        inputs = element_inputs(inputs, mapped.split(","), index)
        # Whatever is one for the whole list is one for each element.
        output_prefix = f"{output_prefix}/{index}"
        checkpoint_path = f"{checkpoint_path}/{index}" if checkpoint_path else None
        prev_checkpoint = f"{prev_checkpoint}/{index}" if is_place(prev_checkpoint) else None
    rank = os.environ.get("NODE_RANK", "0") if _NODE in os.environ else "0"
    if rank != "0":
        output_prefix = node_prefix(output_prefix, rank)
    if is_repeated(os.environ):
        forget_error(output_prefix)
        if checkpoint_path and holds_any(checkpoint_path):
            prev_checkpoint = checkpoint_path
    given = {
        **others,
        "inputs": inputs,
        "output_prefix": output_prefix,
        "checkpoint_path": checkpoint_path,
        "prev_checkpoint": prev_checkpoint,
    }
    options = [f"--{name.replace('_', '-')}={value}" for name, value in given.items() if value is not None]
    try:
        execute_task_cmd.main(args=[*options, "--", *resolver_args], standalone_mode=False)
    finally:
        close_at_exit()


def node_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """What torch.distributed, and much else, looks for on a node of a multi-node job. Elsewhere: nothing.

    One process on each node is assumed; who starts more of them, as torchrun does, sets ``RANK`` and ``WORLD_SIZE``.
    """
    if _NODE not in environment:
        return {}
    node, main_node = int(environment[_NODE]), int(environment[_MAIN_NODE])
    rank = 0 if node == main_node else node + (node < main_node)
    return {
        "MASTER_ADDR": environment.get(_MAIN_ADDRESS) or _own_address(),
        "MASTER_PORT": _PORT,
        "NODE_RANK": str(rank),
        "NNODES": environment[_NODES],
        "RANK": str(rank),
        "WORLD_SIZE": environment[_NODES],
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
    }


def _own_address() -> str:
    # Batch tells the main node's address to all others only.
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return "127.0.0.1"


def element(environment: Mapping[str, str]) -> int:
    """Which element of the list this container is for: the wave's file says what Batch's index stands for."""
    url = f"{folder_of(environment[PREFIX_VARIABLE])}/{wave_name(int(environment[WAVE_VARIABLE]))}"
    wave = Wave.model_validate_json(_fetched(url).read_bytes())
    place = environment.get(_ARRAY_INDEX) or environment[INDEX_VARIABLE]
    return wave.indices[int(place)]


def element_inputs(url: str, mapped: list[str], index: int) -> str:
    """A file with the inputs of one element, made of those of the list."""
    whole = LiteralMap.FromString(_fetched(url).read_bytes())
    for name in mapped:
        literal = whole.literals[name]
        if literal.WhichOneof("value") == "offloaded_metadata":
            literal = Literal.FromString(_fetched(literal.offloaded_metadata.uri).read_bytes())
        chosen = literal.collection.literals[index]
        whole.literals[name].CopyFrom(chosen)
    path = Path(FlyteContextManager.current_context().file_access.get_random_local_path())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(whole.SerializeToString())
    return str(path)


def is_repeated(environment: Mapping[str, str]) -> bool:
    """Whether this code has run before, in the same place: the instance was taken back, or it failed."""
    return int(environment.get(_ATTEMPT, "1")) > 1 or int(environment.get(WAVE_VARIABLE, "0")) > 0


def forget_error(output_prefix: str) -> None:
    """Take away what an earlier try said of its end: Flyte takes a task that left an error for failed.

    Mostly there is none, as the instance was taken back. It is not looked for: to whoever may not list the whole bucket
    S3 says that what is missing is forbidden (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html).
    """
    url = f"{output_prefix}/{ERROR_FILE}"
    # S3 takes away what is not there, too; a folder of this machine does not.
    with suppress(FileNotFoundError):
        FlyteContextManager.current_context().file_access.get_filesystem_for_path(url).rm_file(url)


def is_place(prefix: str | None) -> bool:
    """Whether propeller has filled a place in. It leaves quotation marks where there is none."""
    return bool(prefix) and prefix != '""' and not str(prefix).startswith("{{")


def holds_any(folder: str) -> bool:
    """Whether a folder has anything in it, as far as can be seen."""
    try:
        return bool(FlyteContextManager.current_context().file_access.get_filesystem_for_path(folder).find(folder))
    except PermissionError:
        # s3fs lists what is below it. If that is nothing, it looks for an object of this name, of which S3 says that
        # it is forbidden.
        return False


def _fetched(url: str) -> Path:
    access = FlyteContextManager.current_context().file_access
    path = access.get_random_local_path()
    access.get_data(url, path)
    return Path(path)
