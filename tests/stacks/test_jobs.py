"""Each project's jobs, what starts them, and what the people may do who submit them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2

from aerodrome_constructs.batch import Architecture, Container, Platform
from aerodrome_constructs.identity import WorkloadBoundary, WorkloadBoundaryProps
from aerodrome_stacks.batch_queues import Kind, domains, kinds
from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.file_systems_stack import EfsPorts, FileSystemsPorts, LustrePorts
from aerodrome_stacks.identity_stack import IdentityPorts
from aerodrome_stacks.job_catalogue import CATALOGUE, TRAIN_CLASSIFIER, JobKind, SecretField
from aerodrome_stacks.job_scripts import script_text
from aerodrome_stacks.jobs_stack import JobsPorts, JobsStack
from aerodrome_stacks.keys_stack import KeysStack
from aerodrome_stacks.storage_stack import StorageStack
from tests.iam.account import Account
from tests.templates import ROOT, Properties, TemplateJson, new_app, properties, synthesized, text

# AWS Batch's limit for what is submitted and registered.
LARGEST_JOB_DEFINITION = 24 * 1024

Place = tuple[str, str]
"""A project and a domain."""

SCORE = JobKind(
    name="score",
    container=Container(
        image="{registry}/fraud/score:1.4.0",
        command=["python", "-m", "score", "Ref::input"],
        parameters={"input": "{input}/latest.csv"},
        environment={"OUTPUT": "{output}/scores", "LOG_LEVEL": "info"},
        vcpus=1,
        memory_mib=2048,
        timeout=timedelta(hours=1),
    ),
    secrets={"DATABASE_PASSWORD": SecretField(secret="feature-store", field="password")},
)


def places(environment: Environment) -> list[Place]:
    return [(project.name, domain) for project in environment.projects for domain in project.domains]


def jobs_stack(domain: str) -> str:
    """The stack of a domain's jobs."""
    return f"Jobs{domain.capitalize()}"


def of_jobs(stacks: Mapping[str, TemplateJson], resource_type: str) -> list[Properties]:
    """The properties of the resources of a type in the stacks of all domains' jobs."""
    domains = ("development", "staging", "production")
    made = [stacks[jobs_stack(domain)] for domain in domains if jobs_stack(domain) in stacks]
    assert made
    return [one for template in made for one in properties(template, resource_type).values()]


def definitions(stacks: Mapping[str, TemplateJson]) -> dict[str, Properties]:
    """The job definitions of all domains by name."""
    return {one["JobDefinitionName"]: one for one in of_jobs(stacks, "AWS::Batch::JobDefinition")}


def test_every_project_has_the_whole_catalogue_in_each_of_its_domains(
    stacks: Mapping[str, TemplateJson], environment: Environment
) -> None:
    assert set(definitions(stacks)) == {
        f"aerodrome-{environment.name}-{project}-{domain}-{kind.name}"
        for project, domain in places(environment)
        for kind in CATALOGUE
        if kind.kinds & set(kinds(environment))
    }


def test_a_job_has_its_projects_role_log_and_tags(account: Account, environment: Environment) -> None:
    found = {
        one.properties["JobDefinitionName"]: one.properties for one in account.of_type("AWS::Batch::JobDefinition")
    }
    for project, domain in places(environment):
        own = f"aerodrome-{environment.name}-{project}-{domain}"
        job = found[f"{own}-train-classifier"]
        container = job["ContainerProperties"]
        assert container["JobRoleArn"] == account.role_named(own).arn
        assert container["LogConfiguration"]["Options"] == {
            "awslogs-group": f"/aerodrome/{environment.name}/jobs/{project}-{domain}",
            "awslogs-region": environment.region,
            "awslogs-stream-prefix": "train-classifier",
        }
        assert job["Tags"].items() >= {"aerodrome:project": project, "aerodrome:domain": domain}.items()
        assert job["PropagateTags"] is True


def test_a_job_reads_and_writes_below_its_projects_prefix_if_nothing_else_is_said(
    account: Account, environment: Environment
) -> None:
    found = {
        one.properties["JobDefinitionName"]: one.properties for one in account.of_type("AWS::Batch::JobDefinition")
    }
    for project, domain in places(environment):
        name = f"aerodrome-{environment.name}-{project}-{domain}"
        parameters = found[f"{name}-train-classifier"]["Parameters"]
        role = account.role_named(name)
        for action, bucket, parameter in (
            ("s3:GetObject", "BatchInput", "input"),
            ("s3:PutObject", "BatchOutput", "output"),
        ):
            own = f"{account.bucket(bucket).removeprefix('arn:aws:s3:::')}/{project}/{domain}/"
            assert parameters[parameter].startswith(f"s3://{own}")
            assert account.can(role, action, f"arn:aws:s3:::{parameters[parameter].removeprefix('s3://')}")


def test_output_is_encrypted_and_kept_as_long_as_decided(
    stacks: Mapping[str, TemplateJson], environment: Environment
) -> None:
    groups = {one["LogGroupName"]: one for one in of_jobs(stacks, "AWS::Logs::LogGroup")}
    assert set(groups) == {
        f"/aerodrome/{environment.name}/jobs/{project}-{domain}" for project, domain in places(environment)
    }
    for group in groups.values():
        assert "keys:ExportsOutputFnGetAttLogs" in text(group["KmsKeyId"])
        assert group["RetentionInDays"] >= environment.retention.logs.days


def test_every_job_is_small_enough_to_register(account: Account) -> None:
    # With the scripts in it, for which a reference stands in the template.
    sizes = {
        one.logical_id: len(json.dumps(one.properties).encode()) for one in account.of_type("AWS::Batch::JobDefinition")
    }
    assert max(sizes.values()) > LARGEST_JOB_DEFINITION / 6
    assert {name: size for name, size in sizes.items() if size > LARGEST_JOB_DEFINITION} == {}


def test_the_training_job_carries_the_script_that_stands_in_the_repository(
    account: Account, environment: Environment
) -> None:
    file = ROOT / "workflows/aerodrome_workflows/train_classifier.py"
    script = script_text(file.name, file.read_text(encoding="utf-8"))
    commands = [
        one.properties["ContainerProperties"]["Command"]
        for one in account.of_type("AWS::Batch::JobDefinition")
        if one.properties["JobDefinitionName"].endswith("-train-classifier")
    ]
    assert len(commands) == len(places(environment))
    for command in commands:
        assert command[:3] == ["python", "-c", script]
        assert command[3:] == ["--input", "Ref::input", "--output", "Ref::output"]


def test_a_script_stands_once_in_a_template(stacks: Mapping[str, TemplateJson], environment: Environment) -> None:
    for domain in domains(environment):
        template = stacks[jobs_stack(domain)]
        scripts = [text for job in template["Mappings"]["Scripts"].values() for text in job.values()]
        assert len(scripts) == len(CATALOGUE)
        whole = json.dumps(template)
        assert [whole.count(json.dumps(script)[1:-1]) for script in scripts] == [1] * len(scripts)


def test_there_are_three_resources_for_each_project_besides_its_jobs(
    stacks: Mapping[str, TemplateJson], environment: Environment
) -> None:
    # What `MOST_PROJECTS_OF_A_DOMAIN` reckons with.
    for domain in domains(environment):
        projects = [project for project, of in places(environment) if of == domain]
        assert len(stacks[jobs_stack(domain)]["Resources"]) == (3 + len(CATALOGUE)) * len(projects)


def test_what_is_tried_first_is_the_first_projects(
    stacks: Mapping[str, TemplateJson], environment: Environment
) -> None:
    outputs = [stacks[jobs_stack(domain)].get("Outputs", {}) for domain in domains(environment)]
    found = [one["TutorialPrefix"]["Value"] for one in outputs if "TutorialPrefix" in one]
    assert found == ["/".join(places(environment)[0])]


@pytest.fixture(params=["dev", "prod"])
def scene(request: pytest.FixtureRequest) -> Environment:
    """Environments with and without kinds of capacity."""
    return load_environment(str(request.param), ROOT / "environments")


def stack_of(
    environment: Environment, catalogue: Sequence[JobKind], file_systems: FileSystemsPorts | None = None
) -> tuple[JobsPorts, Mapping[str, TemplateJson]]:
    """The stacks of a catalogue, one a domain, and what they stand on."""
    app = new_app()
    keys = KeysStack(app, "Keys", environment=environment)
    storage = StorageStack(app, "Storage", environment=environment, data_key=keys.ports.data)
    boundary = cdk.Stack(app, "Boundary", env=cdk.Environment(account=environment.account, region=environment.region))
    WorkloadBoundary(
        boundary,
        "WorkloadBoundary",
        WorkloadBoundaryProps(
            bucket_arns=[storage.ports.batch_input.bucket_arn],
            data_key_arn=keys.ports.data.key_arn,
            secrets_key_arn=keys.ports.secrets.key_arn,
            log_groups=[f"/aerodrome/{environment.name}/*"],
            policy_name=f"aerodrome-{environment.name}-workload-boundary",
        ),
    )
    jobs = [
        JobsStack(
            app,
            jobs_stack(domain),
            environment=environment,
            domain=domain,
            identity=IdentityPorts(
                service_accounts={},
                projects={place: f"arn:aws:iam::1:role/{place[0]}" for place in places(environment)},
                project_role_name="",
            ),
            storage=storage.ports,
            log_key=keys.ports.logs,
            secrets_key=keys.ports.secrets,
            file_systems=file_systems,
            after=boundary,
            catalogue=catalogue,
        )
        for domain in domains(environment)
    ]
    made = {stack.node.id: synthesized(stack) for stack in (keys, storage, boundary, *jobs)}
    return JobsPorts.of_all([stack.ports for stack in jobs]), made


def test_places_secrets_and_registry_are_the_projects_and_the_accounts_own(scene: Environment) -> None:
    ports, stacks = stack_of(scene, [SCORE])
    account = Account(stacks, scene.account, scene.region)
    output = account.one("Storage", "AWS::S3::Bucket", "BatchOutput").arn.rpartition(":")[2]
    found = {
        one.properties["JobDefinitionName"]: one.properties for one in account.of_type("AWS::Batch::JobDefinition")
    }
    for project, domain in places(scene):
        container = found[ports.definition_names[project, domain, "score"]]["ContainerProperties"]
        assert container["Image"] == f"{scene.account}.dkr.ecr.{scene.region}.amazonaws.com/fraud/score:1.4.0"
        variables = {one["Name"]: one["Value"] for one in container["Environment"]}
        assert variables == {"OUTPUT": f"s3://{output}/{project}/{domain}/scores", "LOG_LEVEL": "info"}
        prefix = f"arn:aws:secretsmanager:{scene.region}:{scene.account}:secret:aerodrome/{scene.name}"
        source = f"{prefix}/{project}/{domain}/feature-store:password::"
        assert container["Secrets"] == [{"Name": "DATABASE_PASSWORD", "ValueFrom": source}]


@pytest.mark.parametrize(
    ("changes", "offered"),
    [
        ({"gpus": 1}, {Kind.GPU, Kind.GPU_ON_DEMAND}),
        ({"architecture": Architecture.ARM64}, {Kind.ARM, Kind.ARM_ON_DEMAND}),
        ({"platform": Platform.FARGATE}, {Kind.FARGATE, Kind.FARGATE_ON_DEMAND}),
        ({}, {Kind.SPOT, Kind.ON_DEMAND}),
    ],
    ids=["gpu", "arm", "fargate", "x86"],
)
def test_a_job_is_made_where_there_is_capacity_for_it(
    scene: Environment, changes: dict[str, Any], offered: set[Kind]
) -> None:
    job = replace(TRAIN_CLASSIFIER, name="special", container=replace(TRAIN_CLASSIFIER.container, **changes))
    assert job.kinds == offered
    ports, _ = stack_of(scene, [TRAIN_CLASSIFIER, job])
    made = {name for _, _, name in ports.definition_names}
    assert made == ({"train-classifier", "special"} if offered & set(kinds(scene)) else {"train-classifier"})


def test_two_jobs_of_one_name_are_refused(scene: Environment) -> None:
    with pytest.raises(ValueError, match=r"two jobs would be called aerodrome-\w+-fraud-detection-\w+-score"):
        stack_of(scene, [SCORE, SCORE])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "Train_Classifier"}, "a job's name is lower-case words with a hyphen between"),
        ({"secrets": {"KEY": SecretField(secret="store-abcdef")}}, "ends in a hyphen and six characters"),
        ({"secrets": {"KEY": SecretField(secret="a:b")}}, "secret 'a:b' of KEY"),
        ({"container": replace(SCORE.container, attempts=0, memory_mib=0)}, "memory_mib=0"),
        (
            {"container": replace(SCORE.container, gpus=1, architecture=Architecture.ARM64)},
            "the platform's instances with GPUs are x86",
        ),
    ],
)
def test_an_entry_that_could_not_run_says_why_where_it_is_written(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"^job ") as refused:
        replace(SCORE, **changes)
    assert said in str(refused.value)


def test_jobs_have_the_file_systems_of_the_environment_each_project_its_own_directory(scene: Environment) -> None:
    def with_files(app_stack: cdk.Stack) -> FileSystemsPorts:
        return FileSystemsPorts(
            clients=ec2.SecurityGroup.from_security_group_id(app_stack, "Clients", "sg-1"),
            efs=EfsPorts(
                file_system_id="fs-1",
                file_system_arn="arn:fs-1",
                access_points={place: (f"fsap-{place[0]}", "arn") for place in places(scene)},
            ),
            lustre=LustrePorts(dns_name="lustre", mount_name="abc"),
        )

    on_fargate = replace(
        TRAIN_CLASSIFIER,
        name="small",
        container=replace(TRAIN_CLASSIFIER.container, platform=Platform.FARGATE),
    )
    without = replace(TRAIN_CLASSIFIER, name="without", mounts_files=False)
    ports, stacks = stack_of(scene, [TRAIN_CLASSIFIER, on_fargate, without], with_files(cdk.Stack(new_app(), "Other")))
    found = definitions(stacks)
    for project, domain in places(scene):
        mounted = {
            name: {
                point["ContainerPath"]
                for point in found[ports.definition_names[project, domain, name]]["ContainerProperties"].get(
                    "MountPoints", []
                )
            }
            for name in ("train-classifier", "small", "without")
        }
        assert mounted == {"train-classifier": {"/mnt/efs", "/mnt/lustre"}, "small": {"/mnt/efs"}, "without": set()}
        volumes = found[ports.definition_names[project, domain, "small"]]["ContainerProperties"]["Volumes"]
        authorization = volumes[0]["EfsVolumeConfiguration"]["AuthorizationConfig"]
        assert authorization == {"AccessPointId": f"fsap-{project}", "Iam": "ENABLED"}
