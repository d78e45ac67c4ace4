from collections.abc import Mapping
from typing import Any

import pytest

from aerodrome_constructs.policy import StackTemplate
from aerodrome_constructs.policy.batch_limits import RULE
from tests.constructs.policy.findings import findings, resource

QUEUE, ENVIRONMENT = "AWS::Batch::JobQueue", "AWS::Batch::ComputeEnvironment"
DEFINITION = "AWS::Batch::JobDefinition"


def many(resource_type: str, number: int, **properties: object) -> dict[str, Mapping[str, Any]]:
    return {f"Thing{index}": resource(resource_type, **properties) for index in range(number)}


@pytest.mark.parametrize("resource_type", [QUEUE, ENVIRONMENT])
def test_an_account_takes_50(resource_type: str) -> None:
    assert findings(RULE, **many(resource_type, 50)) == []
    assert findings(RULE, **many(resource_type, 51)) == [
        f"Thing50 : number 51 of {resource_type}; an account has at most 50 in a region"
    ]


def test_all_stacks_of_an_environment_count_together() -> None:
    halves = [
        StackTemplate(path=name, file=f"{name}.json", template={"Resources": many(QUEUE, 26)}) for name in ("A", "B")
    ]
    assert [finding.stack for finding in RULE.check(halves)] == ["B", "B"]


def test_a_queue_takes_3_compute_environments() -> None:
    order = [{"Order": number, "ComputeEnvironment": {"Ref": f"E{number}"}} for number in range(4)]
    assert findings(RULE, Queue=resource(QUEUE, ComputeEnvironmentOrder=order[:3])) == []
    assert findings(RULE, Queue=resource(QUEUE, ComputeEnvironmentOrder=order)) == [
        "Queue Properties.ComputeEnvironmentOrder: 4 compute environments; a queue takes 3"
    ]


def test_an_eks_cluster_takes_5_compute_environments() -> None:
    cluster = {"EksClusterArn": {"Fn::GetAtt": ["Cluster", "Arn"]}}
    assert findings(RULE, **many(ENVIRONMENT, 5, EksConfiguration=cluster)) == []
    assert findings(RULE, **many(ENVIRONMENT, 6, EksConfiguration=cluster)) == [
        "Thing5 Properties.EksConfiguration: number 6 on one EKS cluster; Batch takes 5"
    ]


def test_a_job_definition_takes_24_kib() -> None:
    def definition(size: int) -> Mapping[str, Any]:
        around = len('{"ContainerProperties":{"Command":[""]}}')
        return resource(DEFINITION, ContainerProperties={"Command": ["x" * (size - around)]})

    assert findings(RULE, Job=definition(24_576)) == []
    assert findings(RULE, Job=definition(24_577)) == [
        "Job Properties.ContainerProperties: 24,577 bytes; a job definition takes 24,576"
    ]


def test_a_job_takes_10_attempts() -> None:
    assert findings(RULE, Job=resource(DEFINITION, RetryStrategy={"Attempts": 10})) == []
    assert findings(RULE, Job=resource(DEFINITION, RetryStrategy={"Attempts": 11})) == [
        "Job Properties.RetryStrategy.Attempts: 11 attempts; a job has 1 to 10"
    ]


@pytest.mark.parametrize(("size", "problems"), [(2, 0), (10_000, 0), (1, 1), (10_001, 1)])
def test_an_array_takes_2_to_10_000_jobs(size: int, problems: int) -> None:
    target = {"Id": "Nightly", "BatchParameters": {"ArrayProperties": {"Size": size}}}
    assert len(findings(RULE, Nightly=resource("AWS::Events::Rule", Targets=[target]))) == problems


def test_a_scheduling_policy_takes_500_shares() -> None:
    shares = [{"ShareIdentifier": f"team{number}"} for number in range(501)]
    policy = "AWS::Batch::SchedulingPolicy"
    assert findings(RULE, Fair=resource(policy, FairsharePolicy={"ShareDistribution": shares[:500]})) == []
    assert len(findings(RULE, Fair=resource(policy, FairsharePolicy={"ShareDistribution": shares}))) == 1
