"""What an earlier run left in CloudFormation: stacks to go on from, to delete first, and that cannot be mended."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aerodrome.embedded_aws import EmbeddedAws

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import StackTypeDef

# The stacks that we deploy, and none that somebody tries out beside them.
_OURS = ("aerodrome-", "CDKToolkit")
_NEVER_CREATED = "ROLLBACK_COMPLETE"
# From these the CDK CLI goes on. A stack in review waits for its first change set, of which the CLI makes a new one.
_SETTLED = {
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
    "REVIEW_IN_PROGRESS",
}
# Seconds that a stack in progress has to settle: it goes on without the CLI, and a database takes ten.
_SETTLE_TIME = 60
_POLL_SECONDS = 0.2


def stuck(aws: EmbeddedAws) -> list[str]:
    """The stacks in a state from which CloudFormation cannot go on, each with that state.

    One that is in progress is waited for, and counts when it has not settled after a minute.
    """
    deadline = time.monotonic() + _SETTLE_TIME
    while any(_in_progress(stack) for stack in _ours(aws)) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return [
        f"{stack['StackName']} is {stack['StackStatus']}"
        for stack in _ours(aws)
        if stack["StackStatus"] not in _SETTLED and stack["StackStatus"] != _NEVER_CREATED
    ]


def never_created(aws: EmbeddedAws) -> list[str]:
    """The names of the stacks whose creation failed and was rolled back. They hold nothing."""
    return [stack["StackName"] for stack in _ours(aws) if stack["StackStatus"] == _NEVER_CREATED]


def delete(aws: EmbeddedAws, name: str) -> None:
    """Delete a stack that was never created.

    The CDK CLI does so too, but it fails where the stack is protected against deletion, and it protects a stack that is
    to hold data before it creates it.

    Raises:
        WaiterError: If CloudFormation could not delete it.
    """
    aws.cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    aws.cloudformation.delete_stack(StackName=name)
    aws.cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": _SETTLE_TIME}
    )


def next_run(aws: EmbeddedAws) -> str:
    """What the next ``make try`` makes of what a failed deploy left, in a sentence or two."""
    if left := stuck(aws):
        return (
            f"{one_and_more(left)}, and CloudFormation cannot go on from there: "
            "the next `make try` starts the embedded AWS anew, empty, without its jobs, objects and messages."
        )
    first = ""
    if names := never_created(aws):
        first = f"deletes {one_and_more(names)}, which was never created, and "
    return (
        f"What stands stays: once the cause is mended, the next `make try` {first}goes on from there. "
        "To start over, empty: `.venv/bin/aerodrome local reset`."
    )


def one_and_more(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    return names[0] if len(names) == 1 else f"{names[0]} (and {len(names) - 1} more)"


def _ours(aws: EmbeddedAws) -> "list[StackTypeDef]":
    return [stack for stack in aws.stacks() if stack["StackName"].startswith(_OURS)]


def _in_progress(stack: "StackTypeDef") -> bool:
    return stack["StackStatus"].endswith("_IN_PROGRESS") and stack["StackStatus"] not in _SETTLED
