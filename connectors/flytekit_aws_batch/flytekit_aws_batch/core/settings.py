"""What the connector knows of the AWS account that it works in: one YAML file, which a platform writes."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

import yaml
from annotated_types import Ge, Gt, Le
from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from flytekit_aws_batch.core.spec import Architecture, Kind, Part
from flytekit_aws_batch.core.words import said

VARIABLE = "FLYTEKIT_AWS_BATCH_CONFIG"
"""The environment variable that names the file."""


class SettingsError(Exception):
    """The settings cannot be used. The message has every problem, one a line, with its path in the file."""


class Queue(Part):
    """A job queue that tasks may wait in.

    Attributes:
        arn: Its ARN.
        kind: What its jobs run on.
        fair_share: Whether it has a fair-share policy, so that a job must name its share.
        most_vcpus: The vCPUs of the largest instance type that it has, or of all of it where that is less. None:
            unknown, and not checked.
        most_memory_mib: The memory that a job may have at most there, in MiB: the largest instance's, less what the
            host keeps for itself. None: unknown.
        most_gpus: The GPUs of the largest instance. None: unknown.
        architecture: Of its instances. Those of the kind arm are arm64, whatever is said here.
        spot: Whether its jobs may get capacity that is taken back. Default: in every kind but on-demand.
    """

    arn: str
    kind: Kind
    fair_share: bool = False
    most_vcpus: int | None = None
    most_memory_mib: int | None = None
    most_gpus: int | None = None
    architecture: Architecture = "x86_64"
    spot: bool | None = None

    @property
    def has_spot(self) -> bool:
        """Whether its jobs may get capacity that is taken back."""
        return self.kind != "on-demand" if self.spot is None else self.spot

    @property
    def name(self) -> str:
        """The last part of the ARN."""
        return self.arn.rpartition("/")[2]


class FileSystem(Part):
    """A file system of EFS that tasks may mount by name.

    Attributes:
        id: Its ID.
        access_points: The access point of each project in each domain, by ``<project>/<domain>``. Default: none, and a
            task mounts the root that it names.
    """

    id: str
    access_points: Mapping[str, str] = Field(default_factory=dict)


class Limits(Part):
    """How much of Batch's API each replica takes, in calls a second. An account has about 50 submissions in all.

    Attributes:
        submits: SubmitJob.
        describes: DescribeJobs, of up to 100 jobs each.
        others: Everything else, together.
    """

    submits: Annotated[float, Gt(0), Le(40)] = 20
    describes: Annotated[float, Gt(0), Le(50)] = 15
    others: Annotated[float, Gt(0), Le(50)] = 20


class Settings(Part):
    """What the connector knows of the account.

    Attributes:
        region: The AWS region. Default: what botocore finds.
        queues: The queues that tasks may use, by domain. The domain ``*`` is for all that are not named. Left out,
            any queue may be named, and none asked for by kind.
        shares: The share identifier of each project in queues with fair share. Default: the project's name with what
            is neither letter nor digit taken out.
        execution_roles: The role that ECS starts containers with, by ``<project>/<domain>``, or ``*`` for all.
        job_roles: The role of the code where the execution names none, in the same way.
        log_group: The log group of jobs. ``{project}`` and ``{domain}`` stand for whose they are. Default: Batch's own,
            ``/aws/batch/job``, the only one that needs no execution role.
        secret_prefix: What a secret's name begins with, with ``{project}`` and ``{domain}``. Default: nothing.
        raw_output_prefix: The ``s3://`` URL that the outputs of containers lie below, with ``{project}`` and
            ``{domain}``: where their jobs may write. Default: none, and the connector reads what a task names.
        file_systems: File systems by name.
        definition_prefix: What the names of job definitions begin with. Default: ``flyte-``.
        tags: Tags of every job. ``{project}`` and ``{domain}`` stand for whose it is.
        subnet_public: Whether jobs on Fargate need a public address to reach a registry. Default: no.
        limits: How much of the API it takes.
        freshest_seconds: How old what it knows of a job may be at least before it asks again. Default: 2.
        oldest_seconds: The same at most, for a job that has not changed for long. Default: 60.
        patience_seconds: How long it goes on within one request before it answers that it is not done. Default: 15.
        lease_seconds: How long a submission that nobody finished keeps others from it. Default: 60. Half of it has to
            cover a call, which may take 13 s, and what Batch's list of jobs is behind: below 30 a job may run twice
            after a crash, and 60 leaves a quarter of a minute for the list. At least 5, which is for tests only.
        events_queue: The URL of an SQS queue with Batch's state changes. Default: none, it only asks.
        console: The address of the AWS console. Default: by the region.
        check_images: Whether to look for an image in ECR before it is used. Default: yes.
    """

    region: str | None = None
    queues: Mapping[str, tuple[Queue, ...]] = Field(default_factory=dict)
    shares: Mapping[str, str] = Field(default_factory=dict)
    execution_roles: Mapping[str, str] = Field(default_factory=dict)
    job_roles: Mapping[str, str] = Field(default_factory=dict)
    log_group: str = "/aws/batch/job"
    secret_prefix: str = ""
    raw_output_prefix: str | None = None
    file_systems: Mapping[str, FileSystem] = Field(default_factory=dict)
    definition_prefix: str = "flyte-"
    tags: Mapping[str, str] = Field(default_factory=dict)
    subnet_public: bool = False
    limits: Limits = Limits()
    freshest_seconds: Annotated[float, Gt(0)] = 2
    oldest_seconds: Annotated[float, Ge(1)] = 60
    patience_seconds: Annotated[float, Gt(0)] = 15
    lease_seconds: Annotated[float, Ge(5)] = 60
    events_queue: str | None = None
    console: str | None = None
    check_images: bool = True

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> Self:
        """The settings of the file that ``FLYTEKIT_AWS_BATCH_CONFIG`` names; without it, the defaults.

        Raises:
            SettingsError: The file is not there, or is not what is needed.
        """
        path = (os.environ if environment is None else environment).get(VARIABLE)
        return cls.read(Path(path)) if path else cls()

    @classmethod
    def read(cls, path: Path) -> Self:
        """The settings of a YAML file.

        Raises:
            SettingsError: It is not there, or is not what is needed.
        """
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"{VARIABLE}={path}: {error.strerror}; give a file that can be read") from error
        except yaml.YAMLError as error:
            raise SettingsError(f"{path}: no YAML: {error}") from error
        try:
            return cls.model_validate(content or {})
        except ValidationError as error:
            raise SettingsError("\n".join(f"{path}: {cls._problem(each)}" for each in error.errors())) from error

    @classmethod
    def _problem(cls, error: ErrorDetails) -> str:
        place = [".".join(map(str, error["loc"]))] if error["loc"] else []
        got = "" if error["type"] == "missing" else f" (got {error['input']!r})"
        return ": ".join([*place, said(error, cls)]) + got

    def queues_of(self, domain: str) -> tuple[Queue, ...]:
        """The queues that tasks of a domain may use."""
        return self.queues.get(domain) or self.queues.get("*") or ()

    def role_of(self, roles: Mapping[str, str], project: str, domain: str) -> str | None:
        """What one of the mappings of roles has for a project in a domain."""
        return roles.get(f"{project}/{domain}") or roles.get("*")
