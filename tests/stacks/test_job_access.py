"""Who may start a project's jobs and submit them: worked out from the synthesized policies as AWS works it out."""

from collections.abc import Mapping

import pytest

from aerodrome_stacks.batch_queues import domains, flyte_kinds, flyte_queue_name, ingest_queue_name, kinds, queue_name
from aerodrome_stacks.environment import Environment, load_environment
from tests.iam.account import Account, statements_of
from tests.iam.evaluator import Principal
from tests.stacks.test_jobs import SCORE, Place, jobs_stack, places, stack_of
from tests.templates import ROOT

GET_SECRET = "secretsmanager:GetSecretValue"


@pytest.fixture
def scene() -> Environment:
    return load_environment("prod", ROOT / "environments")


@pytest.fixture
def catalogued(scene: Environment) -> Account:
    """An account in which a job of the catalogue has a secret and an image of the account's own registry."""
    return Account(stack_of(scene, [SCORE])[1], scene.account, scene.region)


def execution_role(account: Account, place: Place) -> Principal:
    """The role that ECS starts a project's containers with."""
    return account.role(jobs_stack(place[1]), f"{''.join(place).replace('-', '')}ExecutionRole")


def secret_arn(environment: Environment, place: Place, name: str = "feature-store") -> str:
    here = f"{environment.region}:{environment.account}"
    return f"arn:aws:secretsmanager:{here}:secret:aerodrome/{environment.name}/{place[0]}/{place[1]}/{name}-AbCdEf"


def tags(environment: str, project: str, **others: str) -> dict[str, str]:
    found = {"environment": environment, "project": project, **others}
    return {f"secretsmanager:ResourceTag/aerodrome:{key}": value for key, value in found.items()}


def test_a_projects_containers_get_its_own_secrets_of_the_catalogue_and_no_others(
    catalogued: Account, scene: Environment
) -> None:
    for place in places(scene):
        role, (project, domain) = execution_role(catalogued, place), place
        own = secret_arn(scene, place)
        assert catalogued.can(role, GET_SECRET, own, tags(scene.name, project))
        assert catalogued.can(role, GET_SECRET, own, tags(scene.name, project, domain=domain))
        # Of its name, and not its own by its tags.
        assert not catalogued.can(role, GET_SECRET, own)
        assert not catalogued.can(role, GET_SECRET, own, tags(scene.name, "another"))
        assert not catalogued.can(role, GET_SECRET, own, tags("another", project))
        assert not catalogued.can(role, GET_SECRET, own, tags(scene.name, project, domain="another"))
        # Not of the catalogue.
        assert not catalogued.can(role, GET_SECRET, secret_arn(scene, place, "another"), tags(scene.name, project))
        for other in places(scene):
            if other != place:
                for whose in (project, other[0]):
                    assert not catalogued.can(role, GET_SECRET, secret_arn(scene, other), tags(scene.name, whose))


def test_a_secret_is_decrypted_through_secrets_manager_only(catalogued: Account, scene: Environment) -> None:
    key = catalogued.one("Keys", "AWS::KMS::Key", "Secrets").arn
    role = execution_role(catalogued, places(scene)[0])
    via = f"secretsmanager.{scene.region}.amazonaws.com"
    assert catalogued.can(role, "kms:Decrypt", key, {"kms:ViaService": via})
    assert not catalogued.can(role, "kms:Decrypt", key)


def test_images_are_pulled_from_the_repositories_of_the_catalogue_only(catalogued: Account, scene: Environment) -> None:
    role = execution_role(catalogued, places(scene)[0])
    repository = f"arn:aws:ecr:{scene.region}:{scene.account}:repository"
    assert catalogued.can(role, "ecr:GetAuthorizationToken", "*")
    assert catalogued.can(role, "ecr:BatchGetImage", f"{repository}/fraud/score")
    assert not catalogued.can(role, "ecr:BatchGetImage", f"{repository}/fraud/other")


def test_what_starts_containers_has_no_more_than_the_catalogue_needs(
    account: Account, environment: Environment
) -> None:
    for place in places(environment):
        role = execution_role(account, place)
        key = account.one("Keys", "AWS::KMS::Key", "Secrets").arn
        project_tags = tags(environment.name, place[0])
        assert not account.can(role, GET_SECRET, secret_arn(environment, place), project_tags), "no job has a secret"
        assert not account.can(role, "ecr:GetAuthorizationToken", "*"), "no image is of the account's own registry"
        via = {"kms:ViaService": f"secretsmanager.{environment.region}.amazonaws.com"}
        assert not account.can(role, "kms:Decrypt", key, via)


def person(account: Account, environment: Environment, place: Place) -> Principal:
    """Somebody who has a project's policy in one domain, and nothing else."""
    name = f"aerodrome-{environment.name}-{place[0]}-{place[1]}-submit-jobs"
    (policy,) = [one for one in account.of_type("AWS::IAM::ManagedPolicy") if one.arn.endswith(f"/{name}")]
    arn = f"arn:aws:iam::{environment.account}:role/Scientist"
    return Principal(arn=arn, policies=statements_of(policy.properties["PolicyDocument"]))


def request(environment: Environment, place: Place) -> dict[str, str]:
    """What a submission of a project's says of itself."""
    (share,) = [project.share_identifier for project in environment.projects if project.name == place[0]]
    return {
        "batch:ShareIdentifier": share,
        "aws:RequestTag/aerodrome:project": place[0],
        "aws:RequestTag/aerodrome:domain": place[1],
    }


def batch(environment: Environment) -> str:
    return f"arn:aws:batch:{environment.region}:{environment.account}"


def definition(environment: Environment, place: Place) -> str:
    name = f"aerodrome-{environment.name}-{place[0]}-{place[1]}-train-classifier"
    return f"{batch(environment)}:job-definition/{name}"


def test_a_team_submits_its_own_jobs_to_the_queues_of_the_domain(account: Account, environment: Environment) -> None:
    for place in places(environment):
        who, own = person(account, environment, place), request(environment, place)
        queues = [queue_name(environment, place[1], kind) for kind in kinds(environment)]  # type: ignore[arg-type]  # a domain of the environment
        wanted = [definition(environment, place), f"{definition(environment, place)}:7", f"{batch(environment)}:job/1"]
        for arn in [*wanted, *(f"{batch(environment)}:job-queue/{name}" for name in queues)]:
            assert account.can(who, "batch:SubmitJob", arn, own), arn


@pytest.mark.parametrize(
    "changed",
    [
        {"batch:ShareIdentifier": "another"},
        {"batch:ShareIdentifier": ""},
        {"aws:RequestTag/aerodrome:project": "another"},
        {"aws:RequestTag/aerodrome:domain": "another"},
    ],
)
def test_a_team_submits_as_nobody_else(account: Account, environment: Environment, changed: Mapping[str, str]) -> None:
    for place in places(environment):
        said = {key: value for key, value in {**request(environment, place), **changed}.items() if value}
        who = person(account, environment, place)
        assert not account.can(who, "batch:SubmitJob", definition(environment, place), said)


def test_a_team_submits_neither_anothers_jobs_nor_to_queues_that_are_not_for_people(
    account: Account, environment: Environment
) -> None:
    of_machines = [ingest_queue_name(environment, domain) for domain in domains(environment)]
    of_machines += [
        flyte_queue_name(environment, domain, kind)
        for domain in domains(environment)
        for kind in flyte_kinds(environment)
    ]
    everywhere = ["development", "staging", "production"]
    for place in places(environment):
        who, own = person(account, environment, place), request(environment, place)
        elsewhere = [
            queue_name(environment, domain, kind)  # type: ignore[arg-type]  # each is a domain
            for domain in everywhere
            if domain != place[1]
            for kind in kinds(environment)
        ]
        for queue in [*of_machines, *elsewhere]:
            assert not account.can(who, "batch:SubmitJob", f"{batch(environment)}:job-queue/{queue}", own), queue
        others = [other for other in places(environment) if other != place]
        # That no other project's name begins with <project>-<domain> is a rule of environments.
        others += [(place[0], "another"), (f"{place[0]}-more", place[1]), (place[0][:-1], place[1])]
        others += [(place[0], f"{place[1]}s"), (f"more-{place[0]}", place[1])]
        for arn in [definition(environment, other) for other in others]:
            assert not account.can(who, "batch:SubmitJob", arn, own), arn
        assert account.can(who, "batch:SubmitJob", f"{definition(environment, place)}-more", own), "a job added later"
        assert not account.can(who, "batch:RegisterJobDefinition", definition(environment, place), own)


def carried(place: Place) -> dict[str, str]:
    return {"aws:ResourceTag/aerodrome:project": place[0], "aws:ResourceTag/aerodrome:domain": place[1]}


def test_a_team_ends_its_own_jobs_and_nobody_elses(account: Account, environment: Environment) -> None:
    job = f"{batch(environment)}:job/1"
    for place in places(environment):
        who = person(account, environment, place)
        for action in ("batch:CancelJob", "batch:TerminateJob"):
            assert account.can(who, action, job, carried(place))
            assert not account.can(who, action, job), "a job without a tag is not theirs"
            for other in [*places(environment), (place[0], "another")]:
                if other != place:
                    assert not account.can(who, action, job, carried(other))


def test_a_team_tags_no_job_that_is_anothers(account: Account, environment: Environment) -> None:
    job = f"{batch(environment)}:job/1"
    for place in places(environment):
        who, own = person(account, environment, place), request(environment, place)
        assert account.can(who, "batch:TagResource", job, own), "with the submission"
        assert not account.can(who, "batch:TagResource", definition(environment, place), own)
        for other in places(environment):
            if other != place:
                assert not account.can(who, "batch:TagResource", job, {**own, **carried(other)})
                assert not account.can(who, "batch:TagResource", job, {**request(environment, other), **carried(place)})


def test_a_team_reads_its_own_log_and_no_others(account: Account, environment: Environment) -> None:
    group = f"arn:aws:logs:{environment.region}:{environment.account}:log-group:/aerodrome/{environment.name}/jobs"
    for place in places(environment):
        who = person(account, environment, place)
        for action in ("logs:FilterLogEvents", "logs:GetLogEvents"):
            for other in places(environment):
                stream = f"{group}/{other[0]}-{other[1]}:log-stream:train-classifier/default/1"
                assert account.can(who, action, stream) is (other == place)


def test_a_team_sees_how_jobs_and_queues_fare(account: Account, environment: Environment) -> None:
    place = places(environment)[0]
    who = person(account, environment, place)
    for action in ("DescribeJobDefinitions", "DescribeJobQueues", "DescribeJobs", "ListJobs"):
        assert account.can(who, f"batch:{action}", "*")
