"""The catalogue of jobs: the kinds that every project has, in each of its domains.

Adding a job is adding an entry: ``docs/how-to/add-a-job.md``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

_SCRIPTS = Path(__file__).parents[2] / "workflows" / "aerodrome_workflows"
# Has boto3 and scikit-learn: https://github.com/aws/sagemaker-distribution/releases/tag/3.9.14-cpu
_SAGEMAKER_IMAGE = "public.ecr.aws/sagemaker/sagemaker-distribution:3.9.14-cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """A kind of job, as every project gets it in each of its domains.

    Attributes:
        name: What it is called in its project, such as ``train-classifier``.
        image: The container image, with its tag or digest.
        command: What runs in it. ``Ref::name`` stands for the parameter of that name.
        parameters: The parameters and their defaults. ``{input}`` and ``{output}`` in one stand for the project's own
            place in the bucket that jobs read from, and write to: ``s3://<bucket>/<project>/<domain>``.
        vcpus: How many vCPUs the job gets.
        memory_mib: How much memory the job gets, in MiB. It is killed when it takes more.
        timeout: How long one attempt may run.
    """

    name: str
    image: str
    command: Sequence[str]
    parameters: Mapping[str, str]
    vcpus: int
    memory_mib: int
    timeout: timedelta


TRAIN_CLASSIFIER = JobKind(
    name="train-classifier",
    image=_SAGEMAKER_IMAGE,
    # The script travels in the job definition (at most 24 KiB), so the image needs no code of ours.
    command=[
        "python",
        "-c",
        (_SCRIPTS / "train_classifier.py").read_text(encoding="utf-8"),
        "--input",
        "Ref::input",
        "--output",
        "Ref::output",
    ],
    parameters={"input": "{input}/data.csv", "output": "{output}/train-classifier"},
    vcpus=1,
    memory_mib=2048,
    timeout=timedelta(hours=1),
)

CATALOGUE: Sequence[JobKind] = (TRAIN_CLASSIFIER,)
"""Every kind of job. Names are unique."""
