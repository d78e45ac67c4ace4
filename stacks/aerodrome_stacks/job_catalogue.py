"""The catalogue of jobs: the kinds that every project has, in each of its domains.

Adding a job is adding an entry: ``docs/how-to/add-a-job.md``. What an entry takes is in ``docs/reference/jobs.md``.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from aerodrome_constructs.batch import Architecture, Container, InvalidJobError, Platform
from aerodrome_stacks.batch_queues import Hardware, Kind
from aerodrome_stacks.job_scripts import script_command

# Has boto3 and scikit-learn: https://github.com/aws/sagemaker-distribution/releases/tag/3.9.14-cpu
_SAGEMAKER_IMAGE = "public.ecr.aws/sagemaker/sagemaker-distribution:3.9.14-cpu"

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SECRET_NAME = re.compile(r"[A-Za-z0-9_.-]+")
# Secrets Manager ends a secret's ARN in a hyphen and six characters, and would take these for them.
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen
_LIKE_A_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretField:
    """Where a secret's value is in AWS Secrets Manager.

    Attributes:
        secret: The last part of the secret's name, ``aerodrome/<environment>/<project>/<domain>/<secret>``: each
            project has its own in each of its domains.
        field: The field of the secret's JSON. Default: the whole text.
    """

    secret: str
    field: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """A kind of job, as every project gets it in each of its domains.

    Attributes:
        name: What it is called in its project, such as ``train-classifier``: lower-case words with hyphens between.
        container: What runs. In its parameters and environment variables ``{input}`` and ``{output}`` stand for the
            project's own place in the buckets of jobs, ``s3://<bucket>/<project>/<domain>``; in its image
            ``{registry}`` stands for the account's own registry.
        secrets: Secrets as environment variables, by the variable's name. Default: none.
        mounts_files: Whether it has the file systems that the environment has: EFS at ``/mnt/efs``, Lustre at
            ``/mnt/lustre``. Default: yes, though no Lustre on Fargate.

    Raises:
        InvalidJobError: If the job could not be made or could not run; with everything that is wrong with it.
    """

    name: str
    container: Container
    secrets: Mapping[str, SecretField] = field(default_factory=dict)
    mounts_files: bool = True

    def __post_init__(self) -> None:
        if problems := list(self._problems()):
            raise InvalidJobError("\n".join(f"job {self.name}: {problem}" for problem in problems))

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of queues that have capacity for it."""
        return frozenset(kind for kind in Kind if kind.hardware == self._hardware)

    @property
    def _hardware(self) -> Hardware:
        if self.container.platform is Platform.FARGATE:
            return "fargate"
        if self.container.gpus:
            return "gpu"
        return "arm" if self.container.architecture is Architecture.ARM64 else "x86"

    def _problems(self) -> Iterator[str]:
        if not _NAME.fullmatch(self.name):
            yield "a job's name is lower-case words with a hyphen between, such as train-classifier"
        yield from self.container.problems()
        if self.container.gpus and self.container.architecture is Architecture.ARM64:
            yield "gpus with architecture=ARM64: the platform's instances with GPUs are x86; build the image for those"
        for variable, source in sorted(self.secrets.items()):
            if not _SECRET_NAME.fullmatch(source.secret):
                yield f"secret {source.secret!r} of {variable}: letters, digits, hyphens, underscores and full stops"
            elif _LIKE_A_SUFFIX.search(source.secret):
                yield (
                    f"secret {source.secret!r} of {variable} ends in a hyphen and six characters, as the ARNs of "
                    "secrets do: Secrets Manager would look for another; choose a name that does not"
                )


TRAIN_CLASSIFIER = JobKind(
    name="train-classifier",
    container=Container(
        image=_SAGEMAKER_IMAGE,
        command=script_command("train_classifier.py", "--input", "Ref::input", "--output", "Ref::output"),
        parameters={"input": "{input}/data.csv", "output": "{output}/train-classifier"},
        vcpus=1,
        memory_mib=2048,
        timeout=timedelta(hours=1),
        user="1000",  # the image's sagemaker-user
    ),
)

# The object and its version come from what submits it: stacks/aerodrome_stacks/ingest_stack.py.
INGEST_OBJECT = JobKind(
    name="ingest-object",
    container=Container(
        image=_SAGEMAKER_IMAGE,
        command=script_command(
            "ingest_object.py",
            "--step",
            "Ref::step",
            "--lines",
            "Ref::lines",
            "--output",
            "Ref::output",
            # What comes from S3 is no option, whatever it begins with.
            "--",
            "Ref::bucket",
            "Ref::key",
            "Ref::version",
        ),
        parameters={"step": "profile", "lines": "none", "output": "{output}"},
        vcpus=1,
        memory_mib=1024,
        timeout=timedelta(hours=1),
        user="1000",  # the image's sagemaker-user
    ),
    # It needs nothing but S3, and waits for no file system.
    mounts_files=False,
)

CATALOGUE: Sequence[JobKind] = (TRAIN_CLASSIFIER, INGEST_OBJECT)
"""Every kind of job."""
