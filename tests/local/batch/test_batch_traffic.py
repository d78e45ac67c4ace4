"""Calls that are counted, and calls that are made to fail."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from aerodrome_local.batch_service import http
from aerodrome_local.batch_service.traffic import Fate, Traffic
from aerodrome_local.testing import EmbeddedAws

Batch = Any  # conftest's class, which a test module cannot import

ACCOUNT = "222222222222"
OTHER = "333333333333"


def fates(traffic: Traffic, calls: int, operation: str = "SubmitJob", account: str = ACCOUNT) -> list[Fate]:
    return [traffic.call(account, operation, {}) for _ in range(calls)]


def test_a_share_of_the_calls_fails_and_the_same_seed_fails_the_same_ones() -> None:
    traffic = Traffic()
    wanted = {"throttle": 0.3, "fail": 0.1, "losing": 0.1, "seed": 7}
    traffic.control({"account": ACCOUNT, **wanted})
    first = fates(traffic, 2000)
    shares = {fate: first.count(fate) / len(first) for fate in Fate}
    assert shares[Fate.THROTTLED] == pytest.approx(0.3, abs=0.04)
    assert shares[Fate.FAILED] == pytest.approx(0.1, abs=0.03)
    assert shares[Fate.LOST] == pytest.approx(0.1, abs=0.03)
    traffic.control({"account": ACCOUNT, **wanted})
    fates(traffic, 100, "DescribeJobs")
    assert fates(traffic, 2000) == first, "calls of other operations change nothing about these"
    traffic.control({"account": ACCOUNT, **wanted, "seed": 8})
    assert fates(traffic, 2000) != first


def test_faults_are_of_one_account_and_of_the_operations_that_were_named() -> None:
    traffic = Traffic()
    traffic.control({"account": ACCOUNT, "throttle": 1, "operations": ["SubmitJob"]})
    assert fates(traffic, 3) == [Fate.THROTTLED] * 3
    assert fates(traffic, 3, "DescribeJobs") == [Fate.SERVED] * 3
    assert fates(traffic, 3, account=OTHER) == [Fate.SERVED] * 3


def test_faults_end_after_so_many_calls_or_when_they_are_set_to_none() -> None:
    traffic = Traffic()
    traffic.control({"account": ACCOUNT, "losing": 1, "calls": 2})
    assert fates(traffic, 3) == [Fate.LOST, Fate.LOST, Fate.SERVED]
    traffic.control({"account": ACCOUNT, "fail": 1})
    assert fates(traffic, 2) == [Fate.FAILED, Fate.FAILED]
    traffic.control({"account": ACCOUNT, "throttle": 0})
    assert fates(traffic, 2) == [Fate.SERVED, Fate.SERVED]


def test_a_definition_is_not_seen_by_so_many_submissions_after_it_was_registered(batch: Batch) -> None:
    scope = batch.scope(ACCOUNT, "us-east-1")

    def post(path: str, **request: object) -> tuple[int, str]:
        body = json.dumps(request).encode()
        status, _, answer = http.handle(batch.service, scope, "POST", path, query={}, body=body)
        found = json.loads(answer)
        return status, found.get("jobDefinitionArn") or found.get("message", "")

    def register() -> str:
        container = {"image": "busybox", "vcpus": 1, "memory": 128}
        defined = {"jobDefinitionName": "late", "type": "container", "containerProperties": container}
        return post("/v1/registerjobdefinition", **defined)[1]

    def submit(definition: str) -> tuple[int, str]:
        return post("/v1/submitjob", jobName="job", jobQueue="none", jobDefinition=definition)

    taken = (400, f"arn:aws:batch:us-east-1:{ACCOUNT}:job-queue/none does not exist")
    seen = register()
    batch.service.traffic.control({"account": ACCOUNT, "unseen": 2})
    unseen = register()
    assert submit(seen) == taken
    assert [submit(unseen) for _ in range(2)] == [(404, f"JobDefinition {unseen} not found.")] * 2
    assert submit(unseen) == taken
    counted = batch.service.traffic.view()[ACCOUNT]["operations"]["SubmitJob"]
    assert (counted["unseen"], counted["served"]) == (2, 2)
    unseen = register()
    batch.service.traffic.control({"account": ACCOUNT, "reset": True})
    assert submit(unseen) == taken


def test_calls_are_counted_by_operation_and_second() -> None:
    now = iter([100.1, 100.9, 101.0, 101.2, 101.9])
    traffic = Traffic(clock=lambda: next(now))
    for jobs in (["a"], ["a", "b", "c"], ["d", "e", "f"]):
        traffic.call(ACCOUNT, "DescribeJobs", {"jobs": jobs})
    fates(traffic, 1)
    fates(traffic, 1, account=OTHER)
    view = traffic.view()
    assert json.loads(json.dumps(view)) == view, "what is shown is JSON"
    found = view[ACCOUNT]
    describe = found["operations"]["DescribeJobs"]
    assert (describe["calls"], describe["served"]) == (3, 3)
    assert describe["bySecond"] == {"100": 2, "101": 1}
    assert describe["mostInASecond"] == 2
    assert found["jobsPerDescribe"] == {"1": 1, "3": 2}
    assert found["operations"]["SubmitJob"]["calls"] == 1
    assert view[OTHER]["operations"]["SubmitJob"]["bySecond"] == {"101": 1}


def test_a_reset_forgets_the_counters_and_faults_of_its_account_only() -> None:
    traffic = Traffic()
    for account in (ACCOUNT, OTHER):
        traffic.control({"account": account, "fail": 1})
        fates(traffic, 1, account=account)
    traffic.control({"account": ACCOUNT, "reset": True})
    view = traffic.view()
    assert view[ACCOUNT]["operations"] == {}
    assert view[ACCOUNT]["faults"]["fail"] == 0
    assert view[OTHER]["operations"]["SubmitJob"]["failed"] == 1
    assert view[OTHER]["faults"]["fail"] == 1


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"throttle": 0.3}, "account=None: the account whose calls are meant is needed"),
        ({"account": ACCOUNT}, "not nothing"),
        ({"account": ACCOUNT, "thrttle": 0.3}, "not thrttle"),
        ({"account": ACCOUNT, "throttle": 30}, "throttle=30: a share of the calls is needed, from 0 to 1"),
        ({"account": ACCOUNT, "throttle": 0.6, "losing": 0.6}, "1.2 of the calls together; at most 1"),
        ({"account": ACCOUNT, "fail": 1, "operations": "SubmitJob"}, "operations='SubmitJob': a list"),
        ({"account": ACCOUNT, "fail": 1, "operations": ["submit_job"]}, "AWS Batch has none of that name"),
        ({"account": ACCOUNT, "fail": 1, "calls": -1}, "calls=-1: a whole number is needed"),
        ({"account": ACCOUNT, "unseen": 0.5}, "unseen=0.5: a whole number is needed"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(request_: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        Traffic().control(request_)


def test_a_call_that_fails_does_nothing_and_one_whose_answer_is_lost_does_all(batch: Batch) -> None:
    def create(name: str) -> tuple[int, str, str]:
        body = json.dumps({"name": name}).encode()
        scope = batch.scope(ACCOUNT, "us-east-1")
        status, headers, answer = http.handle(
            batch.service, scope, "POST", "/v1/createschedulingpolicy", query={}, body=body
        )
        return status, headers.get("x-amzn-ErrorType", ""), json.loads(answer).get("message", "")

    errors = {
        "throttle": (429, "TooManyRequestsException", "Too Many Requests"),
        "fail": (500, "ServerException", "Internal server error"),
        "losing": (500, "ServerException", "Internal server error"),
    }
    for fault, error in errors.items():
        batch.service.traffic.control({"account": ACCOUNT, fault: 1})
        assert create(fault) == error
    batch.service.traffic.control({"account": ACCOUNT, "reset": True})
    scope = batch.scope(ACCOUNT, "us-east-1")
    (policy,) = batch.service.call("ListSchedulingPolicies", {}, scope)["schedulingPolicies"]
    assert policy["arn"].endswith("/losing")


@pytest.fixture
def account(embedded_aws: EmbeddedAws) -> Iterator[str]:
    """An account of the running embedded AWS that is left without faults."""
    yield ACCOUNT
    embedded_aws.act("batch", account=ACCOUNT, reset=True)


def test_boto3_meets_throttling_as_it_does_on_aws(embedded_aws: EmbeddedAws, account: str) -> None:
    client = boto3.client(
        "batch",
        endpoint_url=embedded_aws.endpoint,
        aws_access_key_id=account,
        aws_secret_access_key="embedded",
        region_name=embedded_aws.region,
        config=Config(retries={"total_max_attempts": 2, "mode": "standard"}, proxies={}),
    )
    embedded_aws.act("batch", account=account, throttle=1.0, calls=1)
    assert client.describe_job_queues()["ResponseMetadata"]["RetryAttempts"] == 1, "botocore repeats a throttled call"
    embedded_aws.act("batch", account=account, throttle=1.0)
    with pytest.raises(ClientError) as refused:
        client.describe_job_queues()
    assert refused.value.response["Error"]["Code"] == "TooManyRequestsException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    seen = embedded_aws.view("batch")[account]["operations"]["DescribeJobQueues"]
    assert (seen["calls"], seen["throttled"], seen["served"]) == (4, 3, 1)
