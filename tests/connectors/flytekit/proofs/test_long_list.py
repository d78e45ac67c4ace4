"""A list of a thousand elements, of which every twentieth fails once."""

import asyncio
import json

import pytest
from flyteidl.core import interface_pb2, literals_pb2, types_pb2
from flyteidl.core.execution_pb2 import TaskExecution

from flytekit_aws_batch.config import Mapped
from tests.connectors.flytekit.proofs.account import BUCKET, ProofAccount
from tests.connectors.flytekit.proofs.conftest import MakeService
from tests.connectors.flytekit.proofs.propeller import Node, Propeller
from tests.connectors.flytekit.proofs.templates import container, mapped

SIZE = 1000

# What flytekit-aws-batch-execute does in a container, without flytekit, whose start a thousand times takes half an hour here.
ELEMENT = """
import base64, http.client, json, os, sys, urllib.parse
prefix = os.environ["FLYTE_AWS_BATCH_PREFIX"].removeprefix("s3://")
place = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
who = {"Authorization": "AWS4-HMAC-SHA256 Credential=%s/20261122/us-east-1/s3/aws4_request, Signature=0" % os.environ["AWS_ACCESS_KEY_ID"]}
def s3(method, key, body=None):
    connection = http.client.HTTPConnection(place.hostname, place.port)
    connection.request(method, "/" + prefix + "/" + key, body, who)
    answer = connection.getresponse()
    return answer.status, answer.read()
wave = json.loads(s3("GET", "aws-batch/wave-%s.json" % os.environ["FLYTE_AWS_BATCH_WAVE"])[1])
index = wave["indices"][int(os.environ["AWS_BATCH_JOB_ARRAY_INDEX"])]
if index % 20 == 7 and s3("GET", "seen/%d" % index)[0] == 404:
    s3("PUT", "seen/%d" % index, b"once")
    sys.exit(3)
number = index * index
varint = b""
while True:
    varint += bytes([number & 127 | (128 if number > 127 else 0)])
    number >>= 7
    if not number:
        break
def part(field, body):
    return bytes([field << 3 | 2, len(body)]) + body
literal = part(1, part(1, b"\\x08" + varint))
status, _ = s3("PUT", "%d/outputs.pb" % index, part(1, part(1, b"o0") + part(2, literal)))
sys.exit(0 if status == 200 else 4)
"""

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
    template = mapped(container("squares", "python3", "-S", "-E", "-c", ELEMENT, retries=1), Mapped(inputs=("number",)))
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
