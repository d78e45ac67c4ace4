"""An account, tasks that ask for something there, and AWS's own opinion of what is made of that."""

import dataclasses
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator

from flytekit_aws_batch.core.plan import JobRequest, Plan, Wave
from flytekit_aws_batch.core.planning import plan
from flytekit_aws_batch.core.progress import RefusedError
from flytekit_aws_batch.core.requests import submit_request
from flytekit_aws_batch.core.settings import FileSystem, Queue, Settings
from flytekit_aws_batch.core.spec import KINDS, ArraySpec, JobSpec, Kind, Resources

ACCOUNT = "121212121212"
JOB_ROLE = f"arn:aws:iam::{ACCOUNT}:role/fraud-code"
EXECUTION_ROLE = f"arn:aws:iam::{ACCOUNT}:role/fraud-start"


def queue_arn(name: str) -> str:
    return f"arn:aws:batch:eu-west-1:{ACCOUNT}:job-queue/{name}"


def queue(kind: Kind, name: str | None = None, **more: Any) -> Queue:  # noqa: ANN401 - any field
    return Queue(arn=queue_arn(name or kind), kind=kind, **{"fair_share": True, **more})


QUEUES = tuple(queue(kind) for kind in KINDS)
GPU_ON_DEMAND = queue("gpu", "gpu-on-demand", spot=False, most_gpus=8)

SETTINGS = Settings(
    region="eu-west-1",
    queues={"development": QUEUES, "training": (*QUEUES, GPU_ON_DEMAND)},
    execution_roles={"*": EXECUTION_ROLE},
    log_group="/aerodrome/{project}/{domain}/jobs",
    secret_prefix="aerodrome/dev/{project}/{domain}/",
    file_systems={
        "shared": FileSystem(id="fs-0123456789abcdef0", access_points={"fraud/development": "fsap-0a1b2c3d4e"})
    },
    definition_prefix="aerodrome-dev-flyte-",
    tags={"aerodrome:project": "{project}", "aerodrome:domain": "{domain}"},
)

REQUEST = JobRequest(
    project="fraud",
    domain="development",
    execution="f3a9c1",
    node="n0",
    task="train.fit",
    attempt=0,
    image="111122223333.dkr.ecr.eu-west-1.amazonaws.com/train:1",
    command=("pyflyte-execute", "--inputs", "s3://data/inputs.pb"),
    environment={"LEVEL": "20"},
    resources=Resources(vcpus=2, memory_mib=4096),
    spec=JobSpec(),
    retries=1,
    timeout_seconds=3600,
    interruptible=None,
    job_role=JOB_ROLE,
    output_prefix="s3://metadata/f3a9c1/n0/data/0",
)


def request(spec: JobSpec | None = None, **changes: Any) -> JobRequest:  # noqa: ANN401 - any field
    return dataclasses.replace(REQUEST, spec=spec or JobSpec(), **changes)


def waves(planned: Plan) -> Iterator[Wave]:
    """Every sort of wave of a plan: all of it, the last queue, and of a list a part and a single element."""
    everything = tuple(range(planned.array.size)) if planned.array else ()
    yield Wave(number=0, indices=everything)
    yield Wave(number=1, indices=everything[-1:], last=True)
    if len(everything) > 2:
        yield Wave(number=2, indices=everything[::2], last=True)


def requests_of(asked: JobRequest, settings: Settings = SETTINGS) -> list[tuple[str, dict[str, Any]]]:
    """All requests that come of what is asked for, with their operation."""
    planned, definition = plan(asked, settings)
    planned = planned.model_copy(update={"definition": definition_arn(definition)})
    return [
        ("RegisterJobDefinition", definition),
        *(("SubmitJob", submit_request(planned, wave)) for wave in waves(planned)),
    ]


def definition_arn(definition: Mapping[str, Any], revision: int = 1) -> str:
    name = definition["jobDefinitionName"]
    return f"arn:aws:batch:eu-west-1:{ACCOUNT}:job-definition/{name}:{revision}"


def objections(operation: str, parameters: Mapping[str, Any], service: str = "batch") -> list[str]:
    """What botocore's model of a service has against a request: fields, types, and what its validator leaves out."""
    shape = _model(service).operation_model(operation).input_shape
    assert shape is not None
    report = ParamValidator().validate(parameters, shape)
    found = [report.generate_report()] if report.has_errors() else []
    return [*found, *_values(parameters, shape, operation)]


@cache
def _model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


def _values(value: Any, shape: Shape, path: str) -> Iterator[str]:  # noqa: ANN401 - any part of a request
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        for name, each in value.items():
            if name in shape.members:
                yield from _values(each, shape.members[name], f"{path}.{name}")
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for position, each in enumerate(value):
            yield from _values(each, shape.member, f"{path}[{position}]")
    elif isinstance(shape, MapShape) and isinstance(value, Mapping):
        most = shape.metadata.get("max")
        if most is not None and len(value) > most:
            yield f"{path}: {len(value)} entries, more than {most}"
    elif isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        yield f"{path}={value!r}: none of {shape.enum}"


def array(size: int, **more: Any) -> ArraySpec:  # noqa: ANN401 - any field
    return ArraySpec(size=size, **more)


def planned(asked: JobRequest, **settings: Any) -> Plan:  # noqa: ANN401 - any setting
    """The plan, in the account with other settings."""
    return plan(asked, SETTINGS.model_copy(update=settings))[0]


def container(asked: JobRequest, **settings: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting
    """The container of the job definition."""
    found: dict[str, Any] = plan(asked, SETTINGS.model_copy(update=settings))[1]["containerProperties"]
    return found


def refusal(asked: JobRequest, **settings: Any) -> str:  # noqa: ANN401 - any setting
    """Why it is refused."""
    with pytest.raises(RefusedError) as caught:
        plan(asked, SETTINGS.model_copy(update=settings))
    return str(caught.value)
