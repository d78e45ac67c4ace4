"""That the cleaner of job definitions looks after what Flyte makes in the environment, and after nothing else."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.iam.account import Account
from tests.templates import TemplateJson, properties


@pytest.fixture
def order(stacks: Mapping[str, TemplateJson]) -> Mapping[str, Any]:
    """What the function gets every night."""
    rules = properties(stacks["Batch"], "AWS::Events::Rule")
    (schedule,) = [rule for key, rule in rules.items() if key.startswith("CleanerSchedule")]
    (target,) = schedule["Targets"]
    found: Mapping[str, Any] = json.loads(target["Input"])
    return found


def test_it_cleans_up_behind_the_roles_that_flyte_may_hand_to_jobs(account: Account, order: Mapping[str, Any]) -> None:
    propeller = account.role("Identity", "Flytepropeller")
    passed = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    handed = [arn for arn in account.principals if account.can(propeller, "iam:PassRole", arn, passed)]
    assert handed
    assert sorted(order["jobRoles"]) == sorted(arn.rpartition("/")[2] for arn in handed)


def test_it_asks_every_queue_that_flyte_submits_to(
    account: Account, order: Mapping[str, Any], stacks: Mapping[str, TemplateJson]
) -> None:
    propeller = account.role("Identity", "Flytepropeller")
    batch = f"arn:aws:batch:{account.region}:{account.number}"
    made = [queue["JobQueueName"] for queue in properties(stacks["Batch"], "AWS::Batch::JobQueue").values()]
    submitted = [name for name in made if account.can(propeller, "batch:SubmitJob", f"{batch}:job-queue/{name}")]
    assert submitted
    assert sorted(order["jobQueues"]) == sorted(submitted)


def test_it_can_deregister_what_flyte_makes_and_not_what_the_platform_makes(account: Account) -> None:
    cleaner = account.role("Batch", "CleanerRole")
    batch = f"arn:aws:batch:{account.region}:{account.number}:job-definition"
    assert account.can(cleaner, "batch:DeregisterJobDefinition", f"{batch}/trainer:7")
    for definition in account.of_type("AWS::Batch::JobDefinition"):
        arn = f"{batch}/{definition.properties['JobDefinitionName']}:1"
        assert not account.can(cleaner, "batch:DeregisterJobDefinition", arn), arn
