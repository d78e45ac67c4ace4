"""What is one project's is no other's: worked out from the synthesized policies as AWS works it out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

import pytest

from aerodrome_stacks.environment import Environment
from tests.iam.account import Account, statements_of
from tests.iam.evaluator import Principal

OBJECT_ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
BUCKETS = ("Metadata", "RawData", "BatchInput", "BatchOutput", "MlflowArtifacts")

Place = tuple[str, str]
"""A project and a domain."""


@pytest.fixture
def places(environment: Environment) -> list[Place]:
    """Every project in each of its domains, and what could be mistaken for it: another domain, a longer name."""
    return [(project.name, domain) for project in environment.projects for domain in project.domains]


def elsewhere(place: Place, places: Sequence[Place]) -> list[Place]:
    """What is not a project's: what others have, its own in another domain, and names that begin like its own."""
    project, domain = place
    others = ["development", "staging", "production"]
    near = [(project, other) for other in others if other != domain] + [
        (f"{project}-2", domain),
        (f"x{project}", domain),
    ]
    return [one for one in [*places, *near] if one != place]


def keys_of(project: str, domain: str) -> Mapping[str, list[str]]:
    """Keys of objects that are a project's in a domain, by bucket, as Flyte v1.16.8 and jobs make them."""
    own = f"{project}/{domain}"
    return {
        "Metadata": [
            f"metadata/propeller/{project}-{domain}-f3a9/n0/data/0/outputs.pb",
            f"metadata/propeller/{project}-{domain}-f3a9/n0/data/0/error.pb",
            *code_of(project, domain),
            # What somebody gave to `pyflyte run` as an input is uploaded beside the code.
            f"{own}/4CZG2PB6Y7MKTQRA=/customers.csv",
        ],
        "RawData": [f"{own}/k7/f3a9-n0-0/0a1b2c/data.parquet"],
        "BatchInput": [f"{own}/data.csv"],
        "BatchOutput": [f"{own}/train/model.joblib"],
    }


def code_of(project: str, domain: str) -> list[str]:
    """Keys of uploaded code, as flytekit 1.16.31 names it and flyteadmin's data proxy puts it away."""
    own = f"{project}/{domain}"
    return [f"{own}/7QPZ3EZWQ2TZ4WYX=/script_mode.tar.gz", f"{own}/5IXB6M6UEBYM5A4K=/fast0a1b2c3d4e5f.tar.gz"]


def role_of(account: Account, environment: Environment, place: Place) -> Principal:
    return account.role_named(f"aerodrome-{environment.name}-{place[0]}-{place[1]}")


def may_use(environment: Environment, place: Place, other: Place) -> bool:
    """Whether the environment lets a project refer to another one's tasks in the domain that both are looked at in."""
    (project,) = [one for one in environment.projects if one.name == place[0]]
    return place[1] == other[1] and other[0] in project.uses


def test_no_project_reaches_anothers_objects_nor_its_own_of_another_domain(
    account: Account, environment: Environment, places: list[Place]
) -> None:
    reached = [
        (place, action, key)
        for place in places
        for role in [role_of(account, environment, place)]
        for other in elsewhere(place, places)
        for name, keys in keys_of(*other).items()
        for key, action in product(keys, OBJECT_ACTIONS)
        if account.can(role, action, f"{account.bucket(name)}/{key}")
        # What it uses, it reads as it was handed on, and its code: see below.
        and not (
            may_use(environment, place, other)
            and action == "s3:GetObject"
            and (name == "RawData" or key in code_of(*other))
        )
    ]
    assert reached == []


def test_a_project_reads_what_the_tasks_of_those_it_uses_have_handed_on(
    account: Account, environment: Environment, places: list[Place]
) -> None:
    using = [(place, other) for place, other in product(places, places) if may_use(environment, place, other)]
    assert bool(using) is any(project.uses for project in environment.projects)
    for place, other in using:
        role = role_of(account, environment, place)
        raw_data = account.bucket("RawData")
        (key,), (own,) = keys_of(*other)["RawData"], keys_of(*place)["RawData"]
        assert account.can(role, "s3:GetObject", f"{raw_data}/{key}")
        assert account.can(role, "s3:ListBucket", raw_data, {"s3:prefix": key})
        # Not the other way round, as long as the other one does not use this one.
        back = account.can(role_of(account, environment, other), "s3:GetObject", f"{raw_data}/{own}")
        assert back is may_use(environment, other, place)


def test_a_project_fetches_the_code_of_those_it_uses_and_nothing_else_beside_it(
    account: Account, environment: Environment, places: list[Place]
) -> None:
    metadata = account.bucket("Metadata")
    for place, other in product(places, places):
        if place == other:
            continue
        role, allowed = role_of(account, environment, place), may_use(environment, place, other)
        for key in code_of(*other):
            assert account.can(role, "s3:GetObject", f"{metadata}/{key}") is allowed
            # s3fs asks whether it is a folder before it downloads a file.
            if allowed:
                assert account.can(role, "s3:ListBucket", metadata, {"s3:prefix": f"{key}/"})
            assert not account.can(role, "s3:PutObject", f"{metadata}/{key}")
        for key in set(keys_of(*other)["Metadata"]) - set(code_of(*other)):
            assert not account.can(role, "s3:GetObject", f"{metadata}/{key}"), "inputs are the other's own"


def test_no_project_lists_anothers_keys(account: Account, environment: Environment, places: list[Place]) -> None:
    listed_keys = [
        (place, name, prefix)
        for place in places
        for role in [role_of(account, environment, place)]
        for other in elsewhere(place, places)
        for name, keys in keys_of(*other).items()
        for key in keys
        for prefix in ("", "metadata/", "metadata/propeller/", f"{place[0]}/", key[: key.rindex("/") + 1], key)
        if account.can(role, "s3:ListBucket", account.bucket(name), {"s3:prefix": prefix})
        and not (may_use(environment, place, other) and name == "RawData" and prefix.startswith(f"{'/'.join(other)}/"))
    ]
    assert listed_keys == []


def test_no_project_lists_a_bucket_without_saying_what(
    account: Account, environment: Environment, places: list[Place]
) -> None:
    for place, name in product(places, BUCKETS):
        role = role_of(account, environment, place)
        assert not account.can(role, "s3:ListBucket", account.bucket(name))
        assert not account.can(role, "s3:ListBucketVersions", account.bucket(name), {"s3:prefix": f"{place[0]}/"})


def test_a_project_reaches_what_is_its_own(account: Account, environment: Environment, places: list[Place]) -> None:
    for place in places:
        role = role_of(account, environment, place)
        for name, keys in keys_of(*place).items():
            arn = account.bucket(name)
            for key in keys:
                assert account.can(role, "s3:GetObject", f"{arn}/{key}"), (place, key)
                assert account.can(role, "s3:ListBucket", arn, {"s3:prefix": key}), (place, key)


@pytest.mark.parametrize(
    ("action", "path"),
    [
        ("s3:PutObject", "Metadata:metadata/propeller/{0}-{1}-f3a9/n0/data/0/outputs.pb"),
        # What is started again in the same place takes away the error of the try before.
        ("s3:DeleteObject", "Metadata:metadata/propeller/{0}-{1}-f3a9/n0/data/0/error.pb"),
        ("s3:DeleteObject", "Metadata:metadata/propeller/{0}-{1}-f3a9/n0/data/0/17/error.pb"),
        # A job in AWS Batch: which elements of a list it is for; what nodes beside the main one leave.
        ("s3:GetObject", "Metadata:metadata/propeller/{0}-{1}-f3a9/n0/data/0/aws-batch/wave-0.json"),
        ("s3:PutObject", "Metadata:metadata/propeller/{0}-{1}-f3a9/n0/data/0/node-1/outputs.pb"),
        ("s3:DeleteObject", "Metadata:metadata/propeller/{0}-{1}-f3a9/n0/data/0/node-1/error.pb"),
        ("s3:PutObject", "RawData:{0}/{1}/k7/f3a9-n0-0/0a1b2c/data.parquet"),
        ("s3:DeleteObject", "RawData:{0}/{1}/k7/f3a9-n0-0/0a1b2c/data.parquet"),
        ("s3:PutObject", "BatchOutput:{0}/{1}/train/model.joblib"),
    ],
)
def test_a_project_writes_where_its_tasks_write(
    account: Account, environment: Environment, places: list[Place], action: str, path: str
) -> None:
    name, _, key = path.partition(":")
    for place in places:
        role = role_of(account, environment, place)
        assert account.can(role, action, f"{account.bucket(name)}/{key.format(*place)}")


@pytest.mark.parametrize(
    "name", ["inputs.pb", "data/inputs.pb", "data/0/outputs.pb", "data/0/aws-batch/plan.json", "data/0/error.pb/x"]
)
def test_a_project_takes_away_nothing_of_an_execution_but_errors(
    account: Account, environment: Environment, places: list[Place], name: str
) -> None:
    for place in places:
        role = role_of(account, environment, place)
        key = f"metadata/propeller/{place[0]}-{place[1]}-f3a9/n0/{name}"
        assert not account.can(role, "s3:DeleteObject", f"{account.bucket('Metadata')}/{key}")


@pytest.mark.parametrize(
    "name", ["plan.json", "wave-0.json", "adopted.json", "result.json", "stopped", "interface.pb", "error.pb"]
)
def test_a_project_changes_nothing_of_what_the_connector_for_batch_acts_on(
    account: Account, environment: Environment, places: list[Place], name: str
) -> None:
    # A plan says with which role it runs, and the connector may hand on every project's.
    for place, action in product(places, ("s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion")):
        role = role_of(account, environment, place)
        everything = replace(role, policies=[{"Effect": "Allow", "Action": "*", "Resource": "*"}])
        folder = f"{account.bucket('Metadata')}/metadata/propeller/{place[0]}-{place[1]}-f3a9/n0/data"
        for key in (f"0/aws-batch/{name}", f"1/aws-batch/{name}", f"0/dn0/0/data/1/aws-batch/{name}"):
            assert not account.can(role, action, f"{folder}/{key}")
            assert not account.can(everything, action, f"{folder}/{key}")


@pytest.mark.parametrize(
    ("name", "key"), [("Metadata", "{0}/{1}/7QPZ3EZWQ2TZ4WYX=/script_mode.tar.gz"), ("BatchInput", "{0}/{1}/data.csv")]
)
def test_a_project_changes_neither_its_code_nor_what_was_delivered(
    account: Account, environment: Environment, places: list[Place], name: str, key: str
) -> None:
    for place, action in product(places, ("s3:PutObject", "s3:DeleteObject")):
        role = role_of(account, environment, place)
        assert not account.can(role, action, f"{account.bucket(name)}/{key.format(*place)}")


def test_a_project_decrypts_through_s3_and_for_buckets_that_projects_share(
    account: Account, environment: Environment, places: list[Place]
) -> None:
    key = account.one("Keys", "AWS::KMS::Key", "Data").arn
    via_s3 = f"s3.{environment.region}.amazonaws.com"
    for place, name in product(places, BUCKETS):
        role = role_of(account, environment, place)
        via, of_bucket = {"kms:ViaService": via_s3}, {"kms:EncryptionContext:aws:s3:arn": account.bucket(name)}
        shared = name != "MlflowArtifacts"
        assert account.can(role, "kms:Decrypt", key, {**via, **of_bucket}) is shared
        assert not account.can(role, "kms:Decrypt", key, of_bucket)
        assert not account.can(role, "kms:Decrypt", key, via)


def access_points(account: Account) -> dict[Place, str]:
    """The access point of each project's directory in each domain, by its path."""
    found: dict[Place, str] = {}
    for point in account.of_type("AWS::EFS::AccessPoint"):
        _, project, domain = point.properties["RootDirectory"]["Path"].split("/")
        found[project, domain] = point.arn
    return found


def test_a_project_mounts_its_own_directory_and_no_other(
    account: Account, environment: Environment, places: list[Place]
) -> None:
    if not environment.batch.efs:
        assert not [one for one in account.resources if one.type.startswith("AWS::EFS::")]
        return
    file_system = account.one("FileSystems", "AWS::EFS::FileSystem", "Efs").arn
    points = access_points(account)
    assert set(points) == set(places)
    for place, (other, point) in product(places, points.items()):
        role = role_of(account, environment, place)
        through = {"elasticfilesystem:AccessPointArn": point, "elasticfilesystem:AccessedViaMountTarget": "true"}
        for action in ("elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"):
            assert account.can(role, action, file_system, through) is (place == other), (place, other)
            assert not account.can(role, action, file_system, {**through, "aws:SecureTransport": "false"})
            assert not account.can(role, action, file_system), "the root, with everybody's files"
        assert not account.can(role, "elasticfilesystem:ClientRootAccess", file_system, through)


def test_nobody_but_projects_mounts_anything(account: Account, environment: Environment, places: list[Place]) -> None:
    if not environment.batch.efs:
        return
    file_system = account.one("FileSystems", "AWS::EFS::FileSystem", "Efs").arn
    through = {"elasticfilesystem:AccessedViaMountTarget": "true"}
    who = {
        arn
        for arn, role in account.principals.items()
        for point in access_points(account).values()
        if account.can(
            role,
            "elasticfilesystem:ClientMount",
            file_system,
            {**through, "elasticfilesystem:AccessPointArn": point},
        )
    }
    assert who == {role_of(account, environment, place).arn for place in places}


def test_every_role_of_a_job_has_a_boundary_and_serves_this_account_only(
    account: Account, environment: Environment, places: list[Place]
) -> None:
    # A project's own role, which its code has, and those that ECS starts containers with: the catalogue's, and Flyte's.
    workloads = {
        role.arn: role
        for role in account.of_type("AWS::IAM::Role")
        if "ecs-tasks.amazonaws.com" in json.dumps(role.properties["AssumeRolePolicyDocument"])
    }
    assert len(workloads) == 3 * len(places)
    assert [arn for arn in workloads if account.principals[arn].boundary is None] == []
    for role in workloads.values():
        (statement,) = [
            one
            for one in statements_of(role.properties["AssumeRolePolicyDocument"])
            if "ecs-tasks.amazonaws.com" in json.dumps(one["Principal"])
        ]
        # The confused deputy: ECS takes it for a task of this account, and of no other.
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": environment.account}}


def test_no_projects_containers_write_to_anothers_log(
    account: Account, environment: Environment, places: list[Place]
) -> None:
    logs = f"arn:aws:logs:{environment.region}:{environment.account}:log-group:/aerodrome/{environment.name}"
    for place, other in product(places, places):
        project, domain = place
        catalogue = account.role(f"Jobs{domain.capitalize()}", f"{project}{domain}ExecutionRole".replace("-", ""))
        flyte = account.role("FlyteJobs", f"{project}{domain}".replace("-", ""))
        stream = f"{logs}/jobs/{other[0]}-{other[1]}:log-stream:train-classifier/default/1"
        for starts, action in product((catalogue, flyte), ("logs:CreateLogStream", "logs:PutLogEvents")):
            assert account.can(starts, action, stream) is (place == other)
            assert not account.can(role_of(account, environment, place), action, stream), "the code has no need to"


def test_no_project_reads_anothers_secret(account: Account, environment: Environment, places: list[Place]) -> None:
    for place, other in product(places, places):
        if place[0] == other[0]:
            continue
        name = f"aerodrome/{environment.name}/{other[0]}/{other[1]}/database-AbCdEf"
        secret = f"arn:aws:secretsmanager:{environment.region}:{environment.account}:secret:{name}"
        tags = {
            "secretsmanager:ResourceTag/aerodrome:environment": environment.name,
            "secretsmanager:ResourceTag/aerodrome:project": other[0],
        }
        project, domain = place
        starts = account.role(f"Jobs{domain.capitalize()}", f"{project}{domain}ExecutionRole".replace("-", ""))
        flyte = account.role("FlyteJobs", f"{project}{domain}".replace("-", ""))
        for role in (starts, flyte, role_of(account, environment, place)):
            # Whatever it is given: the boundary compares the secret's project with the role's.
            everything = replace(role, policies=[{"Effect": "Allow", "Action": "*", "Resource": "*"}])
            own = {**tags, "secretsmanager:ResourceTag/aerodrome:project": project}
            assert account.can(everything, "secretsmanager:GetSecretValue", secret, own)
            assert not account.can(everything, "secretsmanager:GetSecretValue", secret, tags)


def test_a_boundary_holds_whatever_a_projects_role_is_given(
    account: Account, environment: Environment, places: list[Place]
) -> None:
    for place in places:
        role = role_of(account, environment, place)
        everything = Principal(
            arn=role.arn,
            policies=[{"Effect": "Allow", "Action": "*", "Resource": "*"}],
            boundary=role.boundary,
            tags=role.tags,
        )
        assert account.can(everything, "s3:GetObject", f"{account.bucket('RawData')}/a")
        assert not account.can(everything, "s3:GetObject", f"{account.bucket('MlflowArtifacts')}/a")
        assert not account.can(everything, "iam:DeleteRolePermissionsBoundary", role.arn)
        assert not account.can(everything, "sts:AssumeRole", account.role("Identity", "Flytepropeller").arn)
