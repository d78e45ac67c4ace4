import asyncio
import json
import urllib.parse
from typing import Any

import botocore.session
import pytest

from flytekit_aws_batch.core.checks import Checks
from flytekit_aws_batch.core.plan import JobRequest
from flytekit_aws_batch.core.planning import plan
from flytekit_aws_batch.core.settings import Settings
from flytekit_aws_batch.core.spec import JobSpec, Resources, SecretVariable
from tests.connectors.core.fake_aws import World, client_error
from tests.connectors.core.job_requests import ACCOUNT, JOB_ROLE, REQUEST, SETTINGS, objections, queue_arn, request

ASKED = request(JobSpec(secrets={"DB": SecretVariable(secret="db", field="password")}))
SERVICES = {
    "describe_job_queues": ("batch", "DescribeJobQueues"),
    "get_role": ("iam", "GetRole"),
    "describe_images": ("ecr", "DescribeImages"),
    "describe_pull_through_cache_rules": ("ecr", "DescribePullThroughCacheRules"),
    "describe_secret": ("secretsmanager", "DescribeSecret"),
}
TRUSTED = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"},
        {
            "Effect": "Allow",
            "Principal": {"Service": ["ecs-tasks.amazonaws.com"]},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        },
    ],
}


class Account(World):
    """An AWS that has all that the task needs, until a test takes something away."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        super().__init__(chance=1.0, **settings.model_dump())
        self.queues: dict[str, dict[str, Any]] = {
            name: {"jobQueueName": name, "state": "ENABLED", "status": "VALID", "schedulingPolicyArn": "arn:x"}
            for name in ("spot", "on-demand", "fargate")
        }
        self.trust: object = TRUSTED
        self.secret: dict[str, Any] = {"Name": "db"}
        self.rules: list[dict[str, str]] = []
        self.answers["describe_job_queues"] = self._queues
        self.answers["get_role"] = lambda **_: {"Role": {"AssumeRolePolicyDocument": self.trust}}
        self.answers["describe_images"] = lambda **_: {"imageDetails": [{}]}
        self.answers["describe_pull_through_cache_rules"] = lambda **_: {"pullThroughCacheRules": self.rules}
        self.answers["describe_secret"] = lambda **_: self.secret
        self.checks = Checks(self.aws, self.settings)

    def _queues(self, jobQueues: list[str]) -> dict[str, Any]:  # noqa: N803 - Batch's own
        names = [each.rpartition("/")[2] for each in jobQueues]
        return {"jobQueues": [self.queues[name] for name in names if name in self.queues]}

    def fail(self, operation: str, code: str, status: int = 400) -> None:
        def answer(**_: object) -> dict[str, Any]:
            raise client_error(code, status)

        self.answers[operation] = answer

    def problems(self, asked: JobRequest = ASKED, times: int = 1) -> list[str]:
        """What it finds, the same however many ask at once."""
        planned, definition = plan(asked, self.settings)

        async def all_at_once() -> list[list[str]]:
            return await asyncio.gather(*(self.checks.problems(asked, planned, definition) for _ in range(times)))

        found = self.run(all_at_once())
        assert all(each == found[0] for each in found)
        return found[0]


def test_nothing_is_wrong_where_everything_is_there() -> None:
    account = Account()
    assert account.problems() == []
    asked = [(operation, parameters) for _, operation, parameters in account.client.calls]
    # Two queues, two roles, the image and the secret.
    assert len(asked) == 6
    assert [objections(SERVICES[name][1], parameters, SERVICES[name][0]) for name, parameters in asked] == [[]] * 6
    assert account.client.of("describe_secret") == [{"SecretId": "aerodrome/dev/fraud/development/db"}]
    assert account.client.of("describe_images") == [
        {"registryId": "111122223333", "repositoryName": "train", "imageIds": [{"imageTag": "1"}]}
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"state": "DISABLED"}, "queue spot is DISABLED and takes no jobs; have it enabled, or name another"),
        ({"status": "INVALID", "statusReason": "no role"}, "queue spot is INVALID (no role); have it mended"),
        ({"schedulingPolicyArn": ""}, "share='fraud': queue spot has no fair share; leave it out"),
    ],
)
def test_a_queue_that_takes_no_such_job_is_refused(change: dict[str, str], words: str) -> None:
    account = Account()
    account.queues["spot"] |= change
    (problem,) = account.problems()
    assert words in problem


@pytest.mark.parametrize(
    ("kind", "spec", "words"),
    [
        ("ECS_FARGATE", {}, "queue spot is on Fargate, which nobody said; give platform_version='LATEST', or have"),
        ("ECS", {"platform_version": "LATEST"}, "queue spot has instances and no Fargate; leave out platform_version"),
        ("EKS", {}, "queue spot takes jobs for EKS only, and the connector's run on ECS; name another"),
        ("ECS_FARGATE", {"platform_version": "LATEST"}, None),
        ("ECS", {}, None),
        (None, {}, None),
    ],
)
def test_where_the_jobs_of_a_queue_run_that_the_settings_do_not_know_is_looked_up(
    kind: str | None, spec: dict[str, Any], words: str | None
) -> None:
    account = Account(SETTINGS.model_copy(update={"queues": {}}))
    account.queues["spot"] |= {"schedulingPolicyArn": "", "jobQueueType": kind}
    found = account.problems(request(JobSpec(queue=queue_arn("spot"), **spec)))
    assert [problem.startswith(words or "") for problem in found] == ([True] if words else [])


def test_a_queue_that_is_not_there_is_refused() -> None:
    account = Account()
    account.queues.clear()
    assert account.problems() == [
        f"queue={queue_arn(name)!r}: there is no such job queue; give the name or ARN of one that there is"
        for name in ("spot", "on-demand")
    ]


def test_a_share_that_nobody_gave_is_missing_in_a_queue_with_fair_share() -> None:
    account = Account(SETTINGS.model_copy(update={"queues": {}}))
    (problem,) = account.problems(request(JobSpec(queue=queue_arn("spot"))))
    assert "share is missing: queue spot has fair share" in problem


@pytest.mark.parametrize(
    "trust",
    [
        {"Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}},
        {"Statement": {"Effect": "Deny", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:*"}},
        {
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                "Action": "sts:TagSession",
            }
        },
        {"Statement": {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:root"}, "Action": "sts:AssumeRole"}},
        {"Statement": []},
    ],
)
def test_a_role_that_ecs_cannot_have_is_refused(trust: object) -> None:
    account = Account()
    account.trust = trust
    job, execution = account.problems()
    assert job.startswith(
        f"the job's role={JOB_ROLE!r}: no container can have it, as it does not trust ECS's tasks; have"
    )
    assert execution.startswith("execution_role='arn:")


@pytest.mark.parametrize("trust", [urllib.parse.quote(json.dumps(TRUSTED)), TRUSTED, "not JSON", None])
def test_a_trust_policy_is_read_however_it_comes_and_what_cannot_be_read_is_no_refusal(trust: object) -> None:
    account = Account()
    account.trust = trust
    assert account.problems() == []


def test_a_role_that_is_not_there_or_of_another_account_is_refused() -> None:
    account = Account()
    account.fail("get_role", "NoSuchEntity", 404)
    assert f"the job's role={JOB_ROLE!r}: there is no such role" in account.problems()[0]
    other = request(job_role="arn:aws:iam::999999999999:role/x")
    assert f"the queue is in account {ACCOUNT}; give a role of that account" in Account().problems(other)[0]


@pytest.mark.parametrize("code", ["ImageNotFoundException", "RepositoryNotFoundException"])
def test_an_image_that_is_not_there_is_refused(code: str) -> None:
    account = Account()
    account.fail("describe_images", code)
    assert account.problems() == [
        f"image={REQUEST.image!r}: ECR has no such image; push it, or give the tag or digest of one that there is"
    ]


def test_an_answer_without_the_image_is_no_image() -> None:
    account = Account()
    account.answers["describe_images"] = lambda **_: {"imageDetails": []}
    (problem,) = account.problems(REQUEST)
    assert problem.startswith(f"image={REQUEST.image!r}: ECR has no such image")


def test_an_image_that_ecr_would_fetch_at_the_first_pull_is_not() -> None:
    account = Account()
    account.fail("describe_images", "RepositoryNotFoundException")
    cached = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/quay/org/tool:1"
    assert len(account.problems(request(image=cached))) == 1
    account = Account()
    account.fail("describe_images", "RepositoryNotFoundException")
    account.rules = [{"ecrRepositoryPrefix": "quay"}]
    assert account.problems(request(image=cached)) == []
    assert len(account.problems(request(image=cached.replace("quay/", "quayside/")))) == 1
    account.fail("describe_pull_through_cache_rules", "AccessDeniedException")
    assert account.problems(request(image=cached.replace("quay/", "other/"))) == []


def test_an_image_by_digest_is_looked_for_by_digest() -> None:
    account = Account()
    digest = f"sha256:{'0a' * 32}"
    registry = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
    account.problems(request(image=f"{registry}/a/b:1@{digest}"))
    account.problems(request(image=f"{registry}/a/b"))
    assert [each["imageIds"] for each in account.client.of("describe_images")] == [
        [{"imageDigest": digest}],
        [{"imageTag": "latest"}],
    ]


@pytest.mark.parametrize("image", ["python:3.13.1", REQUEST.image.replace("eu-west-1", "us-east-1")])
def test_images_elsewhere_are_not_looked_for(image: str) -> None:
    account = Account()
    assert account.problems(request(image=image)) == []
    assert account.client.of("describe_images") == []


def test_images_are_not_looked_for_where_the_settings_say_so() -> None:
    account = Account(SETTINGS.model_copy(update={"check_images": False}))
    account.fail("describe_images", "ImageNotFoundException")
    assert account.problems() == []


def test_a_secret_that_is_not_there_or_going_is_refused() -> None:
    account = Account()
    account.secret = {"DeletedDate": "2026-11-22"}
    assert "secret 'aerodrome/dev/fraud/development/db' is being deleted" in account.problems()[0]
    account = Account()
    account.fail("describe_secret", "ResourceNotFoundException")
    assert (
        "secret 'aerodrome/dev/fraud/development/db': Secrets Manager has none; have it made" in account.problems()[0]
    )


@pytest.mark.parametrize(
    ("code", "status"),
    [("AccessDeniedException", 400), ("ThrottlingException", 400), ("ServerException", 500), ("ValidationError", 400)],
)
def test_what_nobody_may_or_can_look_up_is_no_refusal(code: str, status: int) -> None:
    account = Account()
    for operation in SERVICES:
        account.fail(operation, code, status)
    assert account.problems() == []
    # It does not hold a task up for long either.
    assert account.clock.now() < 1000 + 10


def test_a_name_that_botocore_does_not_send_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    account = Account()
    ecr: Any = botocore.session.Session().create_client("ecr", region_name="eu-west-1")
    # It does not get as far as a request.
    account.answers["describe_images"] = ecr.describe_images
    asked = request(ASKED.spec, image=f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/a:1")
    assert account.problems(asked) == []
    assert len(account.client.of("describe_images")) == 1


def test_hundreds_of_tasks_look_once() -> None:
    account = Account()
    account.problems(times=500)
    assert len(account.client.calls) == 6
    account.clock.time += 200
    account.problems(times=500)
    assert len(account.client.calls) == 6
    account.clock.time += 200
    account.problems()
    assert len(account.client.calls) == 12


def test_what_was_mended_is_seen_soon() -> None:
    account = Account()
    account.queues["spot"]["state"] = "DISABLED"
    assert len(account.problems()) == 1
    account.queues["spot"]["state"] = "ENABLED"
    assert len(account.problems()) == 1
    account.clock.time += 30
    assert account.problems() == []


def test_what_could_not_be_looked_up_is_asked_again_after_a_while() -> None:
    account = Account()
    account.fail("get_role", "AccessDenied", 403)
    account.problems(times=3)
    asked = len(account.client.of("get_role"))
    assert asked == 2
    account.clock.time += 100
    account.trust = {"Statement": []}
    account.answers["get_role"] = lambda **_: {"Role": {"AssumeRolePolicyDocument": account.trust}}
    assert len(account.problems()) == 2


@pytest.mark.parametrize(
    "asked",
    [
        request(JobSpec(nodes=3)),
        request(JobSpec(queue="fargate"), resources=Resources(vcpus=1, memory_mib=2048)),
    ],
)
def test_the_roles_of_every_kind_of_job_are_looked_up(asked: JobRequest) -> None:
    account = Account()
    account.problems(asked)
    assert sorted(each["RoleName"] for each in account.client.of("get_role")) == ["fraud-code", "fraud-start"]
