"""Outputs and exports of stacks: a change of them is a change, and an export in use stays as it is."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aerodrome_local.cloudformation import DeployError, StackOperation
from aerodrome_local.testing import EmbeddedAws, Stack, Template

RESOURCES = {"Queue": {"Type": "AWS::SQS::Queue"}, "Other": {"Type": "AWS::SQS::Queue"}}
EXPORT = "outputs-test:ExportsOutputRefQueue"
SHARED = {"Shared": {"Value": {"Ref": "Queue"}, "Export": {"Name": EXPORT}}}
OTHER_QUEUE = {"Shared": {"Value": {"Ref": "Other"}, "Export": {"Name": EXPORT}}}
IMPORT = {
    "Name": {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Type": "String", "Value": {"Fn::ImportValue": EXPORT}},
    }
}
WRONG = {"RedrivePolicy": {"deadLetterTargetArn": {"Fn::ImportValue": "outputs-test:nobody-exports-this"}}}


class Producer:
    """A stack with two queues, whose outputs a test chooses."""

    def __init__(self, client: Any, name: str) -> None:  # noqa: ANN401 - boto3 makes the class at run time
        self.client = client
        self.name = name

    def deploy(self, outputs: Template) -> None:
        """As tests deploy, with UpdateStack."""
        operation = StackOperation(self.client, self.name)
        operation.start({"TemplateBody": self.template(outputs)})
        operation.wait()

    def change_set(self, outputs: Template) -> dict[str, Any]:
        """As the CDK CLI deploys: what CloudFormation says of a change set that it has looked at."""
        name = {"StackName": self.name, "ChangeSetName": "outputs"}
        self.client.create_change_set(**name, TemplateBody=self.template(outputs), ChangeSetType="UPDATE")
        description: dict[str, Any] = self.client.describe_change_set(**name)
        return description

    def execute(self, change_set: dict[str, Any]) -> None:
        self.client.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
        self.client.get_waiter("stack_update_complete").wait(
            StackName=self.name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )

    def exports(self) -> dict[str, str]:
        pages = self.client.get_paginator("list_exports").paginate()
        return {export["Name"]: export["Value"] for page in pages for export in page["Exports"]}

    @staticmethod
    def template(outputs: Template) -> str:
        return json.dumps({"Resources": RESOURCES, "Outputs": outputs})


@pytest.fixture
def producer(embedded_aws: EmbeddedAws, stack: Stack) -> Producer:
    """Deployed without an output."""
    of_test = Producer(embedded_aws.client("cloudformation"), stack.name)
    of_test.deploy({})
    return of_test


@pytest.fixture
def consumer(embedded_aws: EmbeddedAws, producer: Producer) -> Iterator[Stack]:
    """A stack that can import what the producer exports, and is deleted before it."""
    of_test = embedded_aws.stack(f"imports-{producer.name}")
    yield of_test
    of_test.delete()


def test_a_change_set_that_adds_an_export_only_is_executed_and_the_next_stack_imports_it(
    producer: Producer, consumer: Stack
) -> None:
    with pytest.raises(DeployError, match=f"Export '{EXPORT}' not found"):
        consumer.deploy(IMPORT)

    change_set = producer.change_set(SHARED)

    assert (change_set["Status"], change_set["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert change_set["Changes"] == []
    assert not change_set.get("StatusReason")
    producer.execute(change_set)
    assert EXPORT in producer.exports()
    consumer.deploy(IMPORT)


@pytest.mark.parametrize(
    "outputs",
    [
        {},
        OTHER_QUEUE,
        {"Shared": {"Value": {"Ref": "Queue"}}},
        {"Shared": {**SHARED["Shared"], "Export": {"Name": "outputs-test:renamed"}}},
        {**SHARED, "More": {"Value": "1"}},
    ],
    ids=["removed", "another value", "no longer exported", "exported as something else", "one more"],
)
def test_every_difference_of_outputs_is_a_change(producer: Producer, outputs: Template) -> None:
    producer.deploy(SHARED)

    change_set = producer.change_set(outputs)

    assert change_set["ExecutionStatus"] == "AVAILABLE"
    producer.execute(change_set)
    expected = {output["Export"]["Name"] for output in outputs.values() if "Export" in output}
    assert {name for name in producer.exports() if name.startswith("outputs-test:")} == expected


def test_the_same_outputs_are_no_change(producer: Producer) -> None:
    producer.deploy(SHARED)

    change_set = producer.change_set(SHARED)

    assert (change_set["Status"], change_set["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert change_set["StatusReason"].startswith("The submitted information didn't contain changes.")
    with pytest.raises(ClientError, match="UNAVAILABLE"):
        producer.execute(change_set)


@pytest.mark.parametrize(("outputs", "what"), [({}, "deleted"), (OTHER_QUEUE, "updated")])
def test_an_export_in_use_is_neither_removed_nor_changed(
    producer: Producer, consumer: Stack, outputs: Template, what: str
) -> None:
    producer.deploy(SHARED)
    before = producer.exports()
    consumer.deploy(IMPORT)

    refusal = f"Export {EXPORT} cannot be {what} as it is in use by {consumer.name}"
    with pytest.raises(DeployError, match=refusal):
        producer.deploy(outputs)

    assert producer.exports() == before
    producer.deploy({**SHARED, "More": {"Value": "1"}})  # whatever else changes is none of the importer's business
    consumer.delete()
    producer.deploy(outputs)
    assert producer.exports() != before


def test_the_import_of_a_stack_that_was_never_created_holds_nothing(producer: Producer, consumer: Stack) -> None:
    producer.deploy(SHARED)
    with pytest.raises(DeployError, match="ROLLBACK_COMPLETE"):
        consumer.deploy({**IMPORT, "Failing": {"Type": "AWS::SQS::Queue", "DependsOn": "Name", "Properties": WRONG}})

    producer.deploy({})

    assert EXPORT not in producer.exports()
