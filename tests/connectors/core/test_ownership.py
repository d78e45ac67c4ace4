"""What is another project's cannot be had by naming it."""

from typing import Any

import pytest

from flytekit_aws_batch.core.plan import JobRequest
from flytekit_aws_batch.core.settings import FileSystem
from flytekit_aws_batch.core.spec import EfsMount, JobSpec, SecretVariable
from tests.connectors.core.job_requests import (
    ACCOUNT,
    EXECUTION_ROLE,
    JOB_ROLE,
    REQUEST,
    container,
    planned,
    refusal,
    request,
)

CHURN_JOB = f"arn:aws:iam::{ACCOUNT}:role/churn-code"
CHURN_START = f"arn:aws:iam::{ACCOUNT}:role/churn-start"
OWN_PRODUCTION = f"arn:aws:iam::{ACCOUNT}:role/fraud-production"
UNKNOWN = f"arn:aws:iam::{ACCOUNT}:role/somebodys"
GIVEN: dict[str, Any] = {
    "job_roles": {
        "fraud/development": JOB_ROLE,
        "fraud/production": OWN_PRODUCTION,
        "churn/development": CHURN_JOB,
    },
    "execution_roles": {"fraud/development": EXECUTION_ROLE, "churn/development": CHURN_START},
    "shares": {"fraud": "fraud", "churn": "churn"},
    "file_systems": {
        "shared": FileSystem(
            id="fs-0123456789abcdef0",
            access_points={"fraud/development": "fsap-0a1b2c3d4e", "churn/development": "fsap-0a1b2c3d4f"},
        )
    },
}


def secret(name: str) -> JobRequest:
    arn = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:{name}-AbCdEf"
    return request(JobSpec(secrets={"X": SecretVariable(secret=arn)}))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            request(JobSpec(execution_role=CHURN_START)),
            f"execution_role={CHURN_START!r}: the connector's settings give",
        ),
        # What starts its containers reads its secrets, in whose hands ever.
        (request(job_role=CHURN_START), f"the job's role={CHURN_START!r}: the connector's settings give it to churn/"),
        (
            request(job_role=CHURN_JOB),
            "give it to churn/development; leave it out, or name a role of fraud/dev",
        ),
        (request(job_role=OWN_PRODUCTION), "give it to fraud/production; leave it out"),
        (request(JobSpec(share="churn")), "share='churn': the connector's settings give it to churn; leave it out"),
        (
            request(JobSpec(mounts=(EfsMount(path="/data", file_system="shared", access_point="fsap-0a1b2c3d4f"),))),
            "mounts[0].access_point='fsap-0a1b2c3d4f': the connector's settings give it to churn/development",
        ),
        (secret("aerodrome/dev/churn/development/db"), "give it to churn/development; name a secret below aerodrome/"),
        (secret("aerodrome/dev/fraud/production/db"), "give it to fraud/production; name a secret below aerodrome/dev"),
    ],
)
def test_what_the_settings_give_to_another_is_refused(asked: JobRequest, words: str) -> None:
    refused = refusal(asked, **GIVEN)
    assert words in refused
    assert len(refused.splitlines()) == 1


def test_what_is_its_own_or_nobodys_may_be_named() -> None:
    own = JobSpec(execution_role=EXECUTION_ROLE, share="fraud")
    assert planned(request(own), **GIVEN).share == "fraud"
    assert container(request(JobSpec(execution_role=UNKNOWN), job_role=UNKNOWN), **GIVEN)["jobRoleArn"] == UNKNOWN
    assert planned(request(JobSpec(share="fraudnight")), **GIVEN).share == "fraudnight"
    for name in ("aerodrome/dev/fraud/development/db", "shared/db"):
        assert container(secret(name), **GIVEN)["secrets"][0]["valueFrom"].endswith(f"{name}-AbCdEf")


def test_what_is_given_to_several_is_each_ones() -> None:
    everybodys = {**GIVEN, "execution_roles": {"churn/development": CHURN_START, "*": CHURN_START}}
    asked = request(JobSpec(execution_role=CHURN_START))
    assert container(asked, **everybodys)["executionRoleArn"] == CHURN_START
    both = {**GIVEN, "execution_roles": {"churn/development": CHURN_START, "fraud/development": CHURN_START}}
    assert container(asked, **both)["executionRoleArn"] == CHURN_START


def test_where_the_settings_give_nothing_anything_may_be_named() -> None:
    asked = request(JobSpec(execution_role=CHURN_START, share="churn"), job_role=CHURN_JOB)
    nothing: dict[str, Any] = {"job_roles": {}, "execution_roles": {}, "file_systems": {}}
    assert planned(asked, **nothing).share == "churn"
    nothing["execution_roles"] = {"*": EXECUTION_ROLE}
    assert container(secret("aerodrome/dev/churn/development/db"), **nothing)["secrets"]


def test_a_project_that_the_settings_do_not_know_is_refused_with_those_that_they_do() -> None:
    misspelled = request(project="fruad", job_role=None)
    assert refusal(misspelled, **GIVEN) == (
        "project 'fruad': the connector's settings know churn, fraud only; run the task in one of those, or have this "
        "project's roles written into the settings"
    )
    # Flyte knows it: the execution has a role of its own.
    assert planned(request(project="fruad", job_role=UNKNOWN), **GIVEN).project == "fruad"


@pytest.mark.parametrize(
    "open_to_all",
    [
        {"job_roles": {}, "execution_roles": {}},
        {"job_roles": {"*": JOB_ROLE}},
        {"execution_roles": {**GIVEN["execution_roles"], "*": EXECUTION_ROLE}},
    ],
    ids=["no roles", "one for all", "one for all others"],
)
def test_where_roles_are_not_each_projects_own_any_may_come(open_to_all: dict[str, Any]) -> None:
    # Shares are for some of them: who is not named has one made of its name.
    assert planned(request(project="new", job_role=None), **{**GIVEN, **open_to_all}).share == "new"


def test_a_project_is_known_by_whatever_is_given_to_it() -> None:
    of_churn = {"job_roles": {"churn/development": CHURN_JOB}, "execution_roles": {}}
    asked = request(project="fraud", job_role=None)
    assert planned(asked, **{**GIVEN, **of_churn}).project == "fraud", "by its share"
    assert "know churn only" in refusal(asked, **{**GIVEN, **of_churn, "shares": {}})


def test_of_two_prefixes_that_fit_the_longer_one_counts() -> None:
    given = {**GIVEN, "shares": {"fraud": "fraud", "fraud-night": "night"}, "secret_prefix": "{project}-"}
    assert "give it to fraud-night/" in refusal(secret("fraud-night-db"), **given)
    assert planned(secret("fraud-db"), **given).name == REQUEST.name
    # However the two sort.
    given |= {"shares": {"fraud": "fraud", "fraud2": "night"}, "secret_prefix": "{project}"}
    assert "give it to fraud2/" in refusal(secret("fraud2-db"), **given)
