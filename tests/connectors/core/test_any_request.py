"""Whatever a task asks for: what is sensible is taken, and all else is refused in words."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flytekit_aws_batch.core.plan import JobRequest
from flytekit_aws_batch.core.progress import RefusedError
from flytekit_aws_batch.core.shapes import FARGATE_MEMORY_MIB
from flytekit_aws_batch.core.spec import (
    KINDS,
    Architecture,
    ArraySpec,
    EfsMount,
    ExitRule,
    JobSpec,
    Kind,
    Resources,
    SecretVariable,
)
from tests.connectors.core.job_requests import EXECUTION_ROLE, REQUEST, objections, queue_arn, request, requests_of

# The same examples on every machine and in every run: a failure in CI is a failure here. A deadline would make the
# result depend on how fast the machine is.
REPRODUCIBLE = settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)

PATTERNS = st.none() | st.sampled_from(["137", "1*", "*1", "", "OutOfMemory*", "a-b", "x" * 600])
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)
NAMES = st.sampled_from(["DB", "AWS_BATCH_X", "1 A", "TOKEN"]) | TEXTS
SPECS = st.builds(
    JobSpec,
    queue=st.none() | st.sampled_from([*KINDS, "spot", queue_arn("gpu"), "nothing"]),
    architecture=st.sampled_from(["x86_64", "arm64"]),
    share=st.none() | st.sampled_from(["risk", "no-share", ""]),
    priority=st.integers(0, 9999),
    reclaims=st.integers(0, 9),
    on_exit=st.lists(
        st.builds(
            ExitRule,
            action=st.sampled_from(["retry", "exit"]),
            exit_code=PATTERNS,
            reason=PATTERNS,
            status_reason=PATTERNS,
        ),
        max_size=2,
    ).map(tuple),
    secrets=st.dictionaries(NAMES, st.builds(SecretVariable, secret=st.just("db") | TEXTS, field=st.none() | TEXTS)),
    mounts=st.lists(
        st.builds(
            EfsMount,
            path=st.sampled_from(["/data", "/data/", "data", "/"]),
            file_system=st.sampled_from(["shared", "fs-0123456789abcdef0", "fs-0aaaaaaaa", "other"]),
            access_point=st.none() | st.sampled_from(["fsap-0123456789abcdef0", "point"]),
            root=st.none() | st.sampled_from(["/", "/models", "models"]),
            read_only=st.booleans(),
        ),
        max_size=2,
    ).map(tuple),
    execution_role=st.none() | st.sampled_from([EXECUTION_ROLE, "role"]),
    platform_version=st.none() | st.sampled_from(["LATEST", "1.4.0", "1.3.0", "newest"]),
    ephemeral_gib=st.none() | st.integers(21, 200),
    shared_memory_mib=st.none() | st.integers(1, 5000),
    tags=st.dictionaries(st.sampled_from(["team", "aws:x", "flyte:x", "aerodrome:project"]) | TEXTS, TEXTS),
    nodes=st.sampled_from([1, 1, 1, 2, 1000]),
)
ASKED = st.builds(
    request,
    SPECS,
    domain=st.sampled_from(["development", "training", "production"]),
    task=TEXTS,
    node=TEXTS,
    image=st.just("train:1") | TEXTS,
    command=st.lists(TEXTS, max_size=3).map(tuple),
    environment=st.dictionaries(NAMES, TEXTS),
    resources=st.builds(
        Resources,
        vcpus=st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 2.5, 64.0]),
        memory_mib=st.sampled_from([0, 4, 512, 2048, 4096, 5000, 400_000]),
        gpus=st.sampled_from([-1, 0, 0, 0, 1, 8, 9]),
    ),
    retries=st.integers(-1, 5),
    timeout_seconds=st.none() | st.integers(-1, 100_000),
    interruptible=st.none() | st.booleans(),
    job_role=st.none() | st.just(REQUEST.job_role),
    array=st.none() | st.builds(ArraySpec, size=st.sampled_from([1, 2, 10_000]), min_success_ratio=st.floats(-1, 1)),
)


@REPRODUCIBLE
@given(asked=ASKED)
def test_whatever_is_asked_for_is_refused_in_words_or_is_what_aws_takes(asked: JobRequest) -> None:
    try:
        made = requests_of(asked)
    except RefusedError as error:
        lines = str(error).split("\n")
        assert all(lines)
        assert len(set(lines)) == len(lines)
        return
    assert [objections(operation, parameters) for operation, parameters in made] == [[]] * len(made)


WORDS = st.text(st.sampled_from("abcXYZ019 +-=._:/@"), min_size=1, max_size=30)
VARIABLES = st.text(st.sampled_from("ABC019_"), min_size=1, max_size=10)
ON_FARGATE = [(vcpus, memory) for vcpus, sizes in FARGATE_MEMORY_MIB.items() for memory in sizes]


@st.composite
def sensible(draw: st.DrawFn) -> JobRequest:
    """Something that can run."""
    kind: Kind = draw(st.sampled_from(KINDS))
    fargate = kind == "fargate"
    nodes = draw(st.integers(1, 1000)) if kind == "on-demand" else 1
    architectures: st.SearchStrategy[Architecture] = st.sampled_from(["x86_64", "arm64"])
    on_exit = st.builds(
        ExitRule,
        action=st.sampled_from(["retry", "exit"]),
        exit_code=st.sampled_from(["1", "137", "13*", "*"]),
        reason=st.none() | st.sampled_from(["OutOfMemoryError: Container killed", "Docker*"]),
    )
    mount = st.builds(EfsMount, path=st.just("/data"), file_system=st.just("shared"), read_only=st.booleans())
    spec = JobSpec(
        queue=kind,
        architecture=draw(architectures) if fargate else "arm64" if kind == "arm" else "x86_64",
        share=draw(st.none() | st.just("risk")),
        priority=draw(st.integers(0, 9999)),
        reclaims=draw(st.integers(1, 9)),
        on_exit=draw(st.lists(on_exit, max_size=2).map(tuple)),
        secrets=draw(st.dictionaries(VARIABLES, st.builds(SecretVariable, secret=st.just("db"), field=st.just("f")))),
        mounts=draw(st.lists(mount, max_size=1).map(tuple)),
        platform_version=draw(st.none() | st.just("1.4.0")) if fargate else None,
        ephemeral_gib=draw(st.none() | st.integers(21, 200)) if fargate else None,
        shared_memory_mib=None if fargate else draw(st.none() | st.integers(1, 512)),
        tags=draw(st.dictionaries(WORDS.map(lambda key: f"k{key}"), WORDS, max_size=40)),
        nodes=nodes,
    )
    vcpus, memory = draw(st.sampled_from(ON_FARGATE)) if fargate else (draw(st.floats(0.1, 192)), 512)
    sizes = Resources(vcpus=vcpus, memory_mib=memory, gpus=draw(st.integers(0, 8)) if kind == "gpu" else 0)
    return request(
        spec,
        task=draw(TEXTS),
        node=draw(TEXTS),
        command=draw(st.lists(TEXTS, max_size=3).map(tuple)),
        environment={name: draw(TEXTS) for name in draw(st.sets(VARIABLES)) - spec.secrets.keys()},
        resources=sizes,
        timeout_seconds=draw(st.none() | st.integers(0, 100_000)),
        interruptible=draw(st.none() | st.booleans()),
        array=draw(st.none() | st.builds(ArraySpec, size=st.sampled_from([1, 2, 10_000]))) if nodes == 1 else None,
    )


@REPRODUCIBLE
@given(asked=sensible())
def test_what_is_sensible_is_what_aws_takes(asked: JobRequest) -> None:
    made = requests_of(asked)
    assert len(made) >= 3
    assert [objections(operation, parameters) for operation, parameters in made] == [[]] * len(made)
