"""What jobs share as files, in environments that have EFS, FSx for Lustre, both or neither."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aws_cdk.assertions import Template

from aerodrome_stacks.backup_stack import BackupPorts
from aerodrome_stacks.batch_stack import BatchStack
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.document import parse
from aerodrome_stacks.environment.load import validate
from aerodrome_stacks.file_systems_stack import FileSystemsPorts, FileSystemsStack, has_file_systems
from aerodrome_stacks.keys_stack import KeysStack
from aerodrome_stacks.network_stack import NetworkStack
from aerodrome_stacks.platform import build_platform
from tests.stacks.conftest import StackArtifact
from tests.templates import ROOT, TemplateJson, new_app, only, properties, resources, text

VAULT = "arn:aws:backup:us-east-1:777788889999:backup-vault:ours"
EFS, LUSTRE = {"efs": True}, {"lustre_gib": 2400}
WITH_INSTANCES = {"SPOT", "EC2"}


def environment_with(**batch: Any) -> Environment:  # noqa: ANN401 - as in an environment's file
    """The prod environment with other file systems."""
    values, _ = parse((ROOT / "environments" / "prod.yaml").read_bytes())
    assert isinstance(values, dict)
    values["batch"] = {**{key: one for key, one in values["batch"].items() if key != "efs"}, **batch}
    return validate("prod", values, Path("prod.yaml"))


class Made:
    """The stacks that have to do with file systems, of an environment."""

    def __init__(self, environment: Environment) -> None:
        app = new_app()
        keys = KeysStack(app, "Keys", environment=environment).ports
        network = NetworkStack(app, "Network", environment=environment, log_key=keys.logs).ports
        self.environment = environment
        self.ports: FileSystemsPorts | None = None
        self._files: FileSystemsStack | None = None
        if has_file_systems(environment):
            backup = BackupPorts(plan_id="plan-1", vault_arn=VAULT, copied_to=None)
            stack = FileSystemsStack(
                app, "FileSystems", environment=environment, network=network, keys=keys, backup=backup
            )
            self.ports, self._files = stack.ports, stack
        self._batch = BatchStack(
            app, "Batch", environment=environment, network=network, log_key=keys.logs, file_systems=self.ports
        )

    @property
    def files(self) -> TemplateJson:
        """The template of the file systems."""
        assert self._files is not None
        return dict(Template.from_stack(self._files).to_json())

    @property
    def batch(self) -> TemplateJson:
        """The template of the hosts that mount them."""
        return dict(Template.from_stack(self._batch).to_json())


@pytest.fixture(scope="module", params=["efs", "lustre", "both"])
def made(request: pytest.FixtureRequest) -> Made:
    chosen: Mapping[str, Mapping[str, Any]] = {"efs": EFS, "lustre": LUSTRE, "both": {**EFS, **LUSTRE}}
    return Made(environment_with(**chosen[request.param]))


@pytest.fixture(scope="module")
def none() -> Made:
    return Made(environment_with())


def types(template: TemplateJson) -> set[str]:
    return {resource["Type"] for resource in template["Resources"].values()}


def test_the_environments_have_what_their_files_say(
    stacks: Mapping[str, TemplateJson], environment: Environment
) -> None:
    assert ("FileSystems" in stacks) is has_file_systems(environment)


def test_a_stack_with_files_is_not_deleted_by_one_command(artifacts: Mapping[str, StackArtifact]) -> None:
    if "FileSystems" in artifacts:
        assert artifacts["FileSystems"].protected


def test_there_is_what_the_environment_asks_for_and_nothing_else(made: Made) -> None:
    batch, ports = made.environment.batch, made.ports
    assert ports is not None
    assert ("AWS::EFS::FileSystem" in types(made.files)) is batch.efs is (ports.efs is not None)
    has_lustre = batch.lustre_gib is not None
    assert ("AWS::FSx::FileSystem" in types(made.files)) is has_lustre is (ports.lustre is not None)
    if has_lustre:
        assert only(made.files, "AWS::FSx::FileSystem")["StorageCapacity"] == batch.lustre_gib


def test_each_project_has_a_directory_of_its_own_in_each_domain(made: Made) -> None:
    if made.ports is None or made.ports.efs is None:
        assert "AWS::EFS::AccessPoint" not in types(made.files)
        return
    places = {(project.name, domain) for project in made.environment.projects for domain in project.domains}
    assert len(places) > 1
    assert set(made.ports.efs.access_points) == places
    points = properties(made.files, "AWS::EFS::AccessPoint").values()
    paths = [one["RootDirectory"]["Path"] for one in points]
    assert sorted(paths) == sorted(f"/{project}/{domain}" for project, domain in places)
    for point in points:
        _, project, domain = point["RootDirectory"]["Path"].split("/")
        tags = {tag["Key"]: tag["Value"] for tag in point["AccessPointTags"]}
        assert (tags["aerodrome:project"], tags["aerodrome:domain"]) == (project, domain)


def test_files_are_encrypted_with_the_key_of_the_data(made: Made) -> None:
    kinds = types(made.files) & {"AWS::EFS::FileSystem", "AWS::FSx::FileSystem"}
    assert kinds
    for kind in kinds:
        assert "keys:ExportsOutputFnGetAttData" in text(only(made.files, kind)["KmsKeyId"]), kind


def test_what_has_projects_files_is_backed_up_and_what_has_copies_is_not(made: Made) -> None:
    if not made.environment.batch.efs:
        assert "AWS::Backup::BackupSelection" not in types(made.files)
        return
    selection = only(made.files, "AWS::Backup::BackupSelection")
    (selected,) = selection["BackupSelection"]["Resources"]
    (file_system,) = resources(made.files, "AWS::EFS::FileSystem")
    assert text(selected) == f"${{{file_system}.Arn}}"
    assert selection["BackupPlanId"] == "plan-1"


def test_hosts_and_tasks_carry_the_group_that_file_systems_let_in(made: Made) -> None:
    computing = properties(made.batch, "AWS::Batch::ComputeEnvironment").values()
    assert len(computing) > 4
    for one in computing:
        own, clients = map(text, one["ComputeResources"]["SecurityGroupIds"])
        assert "file-systems:ExportsOutputFnGetAttClients" in clients
        assert "file-systems" not in own


def user_data(made: Made) -> list[str]:
    templates = properties(made.batch, "AWS::EC2::LaunchTemplate").values()
    return [text(one["LaunchTemplateData"]["UserData"]["Fn::Base64"]) for one in templates]


def test_every_host_mounts_lustre_before_anything_else_where_there_is_one(made: Made) -> None:
    for script in user_data(made):
        mounting = script.find("mount -t lustre")
        assert (mounting > 0) is (made.environment.batch.lustre_gib is not None)
        if mounting > 0:
            assert "file-systems:ExportsOutputFnGetAttLustre" in script, "the path to mount"
            assert mounting < script.find("amazon-cloudwatch-agent")


def test_without_a_file_system_nothing_speaks_of_one(none: Made) -> None:
    assert none.ports is None
    assert "file-systems" not in text(dict(none.batch))
    assert "/mnt/" not in "".join(user_data(none))


def whole_platform(environment: Environment) -> Mapping[str, TemplateJson]:
    """The templates of every stack, by name."""
    app = new_app()
    build_platform(app, environment)
    return {stack.stack_name: stack.template for stack in app.synth().stacks}


def exported(template: TemplateJson) -> Mapping[str, str]:
    """What a stack exports, by name."""
    outputs = template.get("Outputs", {}).values()
    return {one["Export"]["Name"]: text(one["Value"]) for one in outputs if "Export" in one}


def imported(value: object) -> Iterator[str]:
    """The exports that a value uses."""
    if isinstance(value, dict):
        if "Fn::ImportValue" in value:
            yield text(value["Fn::ImportValue"])
        for one in value.values():
            yield from imported(one)
    elif isinstance(value, list):
        for one in value:
            yield from imported(one)


def test_what_file_systems_use_is_exported_without_them_too() -> None:
    """Switched off, their stack leaves the app and stays deployed: AWS lets nobody take from it what it imports."""
    switched_on = whole_platform(environment_with(**EFS, **LUSTRE))
    switched_off = whole_platform(environment_with())
    name = "aerodrome-prod-file-systems"
    assert switched_on.keys() - switched_off.keys() == {name}
    used = set(imported(switched_on[name]))
    assert {one.partition(":")[0] for one in used} == {
        f"aerodrome-prod-{producer}" for producer in ("backup", "keys", "network")
    }
    before, after = (
        {key: exported(one) for key, one in templates.items() if key != name}
        for templates in (switched_on, switched_off)
    )
    assert used <= {export for exports in after.values() for export in exports}
    assert before == after
