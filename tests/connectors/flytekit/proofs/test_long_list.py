"""A list of a thousand elements, of which every twentieth fails once."""

import asyncio
import json
from pathlib import Path

import pytest
from flyteidl.core import interface_pb2, literals_pb2, types_pb2
from flyteidl.core.execution_pb2 import TaskExecution

from flytekit_aws_batch.config import Mapped
from tests.connectors.flytekit.proofs.account import BUCKET, ProofAccount
from tests.connectors.flytekit.proofs.conftest import MakeService
from tests.connectors.flytekit.proofs.propeller import Node, Propeller
from tests.connectors.flytekit.proofs.templates import container, mapped

SIZE = 1000

# What flytekit-aws-batch-execute does, without flytekit: to start that a thousand times takes half an hour here.
ELEMENT = str(Path(__file__).with_name("element.py"))

NUMBERS = types_pb2.LiteralType(collection_type=types_pb2.LiteralType(simple=types_pb2.INTEGER))


def _integers(numbers: range) -> literals_pb2.LiteralMap:
    literals = [
        literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(integer=number)))
        for number in numbers
    ]
    whole = literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=literals))
    return literals_pb2.LiteralMap(literals={"number": whole})


def test_only_the_elements_that_failed_run_again(
    proofs: ProofAccount, service: MakeService, request: pytest.FixtureRequest
) -> None:
    execution = "list"
    template = mapped(container("squares", "python3", "-S", "-E", ELEMENT, retries=1), Mapped(inputs=("number",)))
    template.interface.CopyFrom(
        interface_pb2.TypedInterface(
            inputs=interface_pb2.VariableMap(variables={"number": interface_pb2.Variable(type=NUMBERS)}),
            outputs=interface_pb2.VariableMap(variables={"o0": interface_pb2.Variable(type=NUMBERS)}),
        )
    )
    node = Node(name="n0")

    async def run() -> str:
        one = service()
        await one.start()
        async with Propeller(one.address, proofs.prefix(request.node.name), execution) as propeller:
            await propeller.run(template, node, inputs=_integers(range(SIZE)))
            return propeller.output_prefix("n0", 0)

    prefix = asyncio.run(run())
    assert node.resource.phase == TaskExecution.SUCCEEDED, node.message
    waves = sorted(proofs.jobs(execution), key=lambda job: job["jobName"])
    assert [job["arrayProperties"]["size"] for job in waves] == [SIZE, SIZE // 20]
    s3 = proofs.client("s3")
    key = prefix.removeprefix(f"s3://{BUCKET}/")
    second = json.loads(s3.get_object(Bucket=BUCKET, Key=f"{key}/aws-batch/wave-1.json")["Body"].read())
    assert second["indices"] == list(range(7, SIZE, 20))
    outputs = literals_pb2.LiteralMap.FromString(s3.get_object(Bucket=BUCKET, Key=f"{key}/outputs.pb")["Body"].read())
    gathered = [each.scalar.primitive.integer for each in outputs.literals["o0"].collection.literals]
    assert gathered == [number * number for number in range(SIZE)]
    # An array is one job to ask after, whatever its size.
    assert max(map(int, proofs.traffic()["jobsPerDescribe"])) <= SIZE // 20
