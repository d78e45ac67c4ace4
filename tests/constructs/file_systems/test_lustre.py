import os
import subprocess
from pathlib import Path

import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms

from aerodrome_constructs.file_systems import LustreFileSystem, LustreFileSystemProps, lustre_mount_commands
from tests.constructs.surroundings import vpc_in
from tests.templates import TemplateJson, new_stack, only, properties, resources, synthesized, text

PORTS = {(988, 988), (1018, 1023)}


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    vpc = vpc_in(stack)
    LustreFileSystem(
        stack,
        "Lustre",
        LustreFileSystemProps(
            vpc=vpc,
            subnet=vpc.select_subnets(subnet_group_name="Nodes").subnets[1],
            clients=ec2.SecurityGroup(stack, "Clients", vpc=vpc, allow_all_outbound=False),
            key=kms.Key(stack, "Key"),
            size_gib=2400,
        ),
    )
    return synthesized(stack)


def test_it_and_the_security_group_it_is_in_stay_when_the_stack_goes(template: TemplateJson) -> None:
    groups = resources(template, "AWS::EC2::SecurityGroup")
    (made,) = resources(template, "AWS::FSx::FileSystem").values()
    own = groups[made["Properties"]["SecurityGroupIds"][0]["Fn::GetAtt"][0]]
    for one in (made, own):
        assert (one["DeletionPolicy"], one["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_it_is_encrypted_replicated_and_compressed(template: TemplateJson) -> None:
    made = only(template, "AWS::FSx::FileSystem")
    assert text(made["KmsKeyId"]).startswith("${Key")
    assert made["LustreConfiguration"]["DeploymentType"] == "PERSISTENT_2"
    assert made["LustreConfiguration"]["DataCompressionType"] == "LZ4"
    assert (made["StorageType"], made["StorageCapacity"]) == ("SSD", 2400)


def test_it_stands_in_the_subnet_it_is_given(template: TemplateJson) -> None:
    (subnet,) = only(template, "AWS::FSx::FileSystem")["SubnetIds"]
    assert text(subnet).startswith("${VpcNodesSubnet2")


def test_clients_and_servers_reach_each_other_on_lustres_ports_and_nobody_else_does(template: TemplateJson) -> None:
    own = text(only(template, "AWS::FSx::FileSystem")["SecurityGroupIds"][0])
    (clients,) = {f"${{{name}.GroupId}}" for name in resources(template, "AWS::EC2::SecurityGroup")} - {own}
    for direction, other in (("Ingress", "SourceSecurityGroupId"), ("Egress", "DestinationSecurityGroupId")):
        rules = properties(template, f"AWS::EC2::SecurityGroup{direction}").values()
        assert {rule["IpProtocol"] for rule in rules} == {"tcp"}
        ways = {(text(rule["GroupId"]), text(rule[other]), rule["FromPort"], rule["ToPort"]) for rule in rules}
        assert ways == {
            (one, another, *ports) for one, another in ((own, own), (own, clients), (clients, own)) for ports in PORTS
        }


def host(directory: Path, *, mounts_at: int | None) -> list[str]:
    """Run the commands on a host that is made of files, and return what was called.

    Args:
        directory: Where the host's programs and their log go.
        mounts_at: The attempt at which mounting works. None: at none.
    """
    log, mounted, attempts = directory / "log", directory / "mounted", directory / "attempts"
    programs = {
        "mkdir": "",
        "rpm": f"grep -q '^dnf' {log}",
        "dnf": "",
        "sleep": "",
        "systemctl": "",
        "shutdown": "",
        "mountpoint": f"test -e {mounted}",
        "mount": f"echo >> {attempts}; test $(wc -l < {attempts}) -eq {mounts_at or 0} && touch {mounted}",
    }
    for name, does in programs.items():
        quiet = name in {"mountpoint", "mkdir", "rpm"}
        lines = ["#!/bin/bash", "" if quiet else f'echo "{name} $*" >> {log}', does, "" if does else "exit 0"]
        (directory / name).write_text("\n".join(lines))
        (directory / name).chmod(0o755)
    log.touch()
    script = "\n".join(["#!/bin/bash", *lustre_mount_commands("fs-1.fsx.example.com", "abcdef")])
    path = f"{directory}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["bash", "-c", script], env={"PATH": path}, check=False, timeout=60)  # noqa: S607 - the shell of who runs the test
    return log.read_text().splitlines()


MOUNT = "mount -t lustre -o relatime,flock fs-1.fsx.example.com@tcp:/abcdef /mnt/lustre"


def test_a_host_mounts_it_once_the_client_is_there(tmp_path: Path) -> None:
    assert host(tmp_path, mounts_at=1) == ["dnf install -y lustre-client", MOUNT]


def test_a_host_tries_again_while_the_file_system_does_not_answer(tmp_path: Path) -> None:
    assert host(tmp_path, mounts_at=3) == [
        "dnf install -y lustre-client",
        *([MOUNT, "sleep 30"] * 2),
        MOUNT,
    ]


def test_a_host_that_cannot_mount_it_never_takes_a_job_and_ends_itself(tmp_path: Path) -> None:
    called = host(tmp_path, mounts_at=None)
    assert called[-2:] == ["systemctl mask --now ecs.service", "shutdown -h now"]
    assert called.count("sleep 30") * 30 == 600, "ten minutes of patience"
