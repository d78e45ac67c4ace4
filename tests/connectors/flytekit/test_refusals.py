"""What AWS Batch cannot do is refused where it is written: when the module is loaded, all of it at once."""

import functools
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import pytest
from flytekit import PodTemplate, Resources, Secret, dynamic, task
from flytekit.extras.accelerators import T4

from flytekit_aws_batch import AWSBatch, AWSBatchContainerTask, EfsMount, ExitRule, SecretVariable, map_task
from flytekit_aws_batch.core.progress import RefusedError
from flytekit_aws_batch.core.spec import JobSpec
from tests.connectors.flytekit import batch_tasks


class Two(NamedTuple):
    first: int
    second: int


def double(number: int) -> int:
    return 2 * number


def pair(number: int) -> Two:
    return Two(number, number)


def made(
    config: AWSBatch | None = None,
    function: Callable[..., Any] = double,
    **options: Any,  # noqa: ANN401 - flytekit's
) -> Callable[..., Any]:
    return task(task_config=config or AWSBatch(), **options)(function)


def refusal(make: Callable[[], object]) -> str:
    with pytest.raises(RefusedError) as refused:
        make()
    return str(refused.value)


def test_every_wrong_value_is_told_at_once() -> None:
    text = refusal(lambda: AWSBatch(priority=-1, reclaims=20, colour="red"))  # type: ignore[call-arg]  # what is tried

    assert text.splitlines() == [
        "AWSBatch(priority=-1): Input should be greater than or equal to 0",
        "AWSBatch(reclaims=20): Input should be less than or equal to 9",
        f"AWSBatch(colour='red'): there is no such option; there are {', '.join(AWSBatch.model_fields)}",
    ]


@pytest.mark.parametrize(
    ("make", "values", "told"),
    [
        (AWSBatch, {"queu": "spot"}, "AWSBatch(queu='spot'): there is no such option; did you mean queue?"),
        (
            AWSBatch,
            {"mounts": [{"path": "/a", "file_system": "b", "readonly": True}]},
            "AWSBatch(mounts.0.readonly=True): there is no such option; did you mean read_only?",
        ),
        (ExitRule, {}, "ExitRule(action=...): it is left out, and needed"),
        (ExitRule, {"action": "again"}, "ExitRule(action='again'): Input should be 'retry' or 'exit'"),
        (
            EfsMount,
            {"path": "/a", "file_system": "b", "rot": "/"},
            "EfsMount(rot='/'): there is no such option; did you mean root?",
        ),
        (
            SecretVariable,
            {"secret": "a", "key": "b"},
            "SecretVariable(key='b'): there is no such option; there are secret, field",
        ),
        (
            AWSBatch,
            {"mounts": EfsMount(path="/a", file_system="b")},
            (
                "AWSBatch(mounts=EfsMount(path='/a', file_system='b', access_point=None, root=None, read_only=False)): "
                "write mounts=(EfsMount(...),)"
            ),
        ),
        (AWSBatch, {"mounts": "efs"}, "AWSBatch(mounts='efs'): write mounts=(EfsMount(...),)"),
        (AWSBatch, {"mounts": ["efs"]}, "AWSBatch(mounts.0='efs'): write EfsMount(path=..., file_system=...)"),
        (
            AWSBatch,
            {"mounts": [{"path": "/a"}]},
            "AWSBatch(mounts.0.file_system=...): it is left out, and needed",
        ),
        (
            AWSBatch,
            {"on_exit": ExitRule(action="exit", exit_code="1")},
            (
                "AWSBatch(on_exit=ExitRule(action='exit', exit_code='1', reason=None, status_reason=None)): "
                "write on_exit=(ExitRule(...),)"
            ),
        ),
        (AWSBatch, {"on_exit": ["137"]}, "AWSBatch(on_exit.0='137'): write ExitRule(action=...)"),
        (
            AWSBatch,
            {"secrets": {"PW": "warehouse"}},
            "AWSBatch(secrets.PW='warehouse'): write SecretVariable(secret='warehouse')",
        ),
        (
            AWSBatch,
            {"secrets": "warehouse"},
            "AWSBatch(secrets='warehouse'): write secrets={\"NAME\": SecretVariable(...)}",
        ),
        (
            AWSBatch,
            {"tags": ["a", "b"]},
            "AWSBatch(tags=['a', 'b']): names with values are needed, such as {\"name\": \"value\"}",
        ),
        (AWSBatch, {"nodes": "two"}, "AWSBatch(nodes='two'): a whole number is needed, such as 2"),
        (AWSBatch, {"queue": 5}, "AWSBatch(queue=5): text is needed; put it in quotes"),
    ],
)
def test_a_wrong_value_is_told_in_words(make: Callable[..., object], values: dict[str, object], told: str) -> None:
    with pytest.raises(RefusedError) as refused:
        make(**values)
    assert str(refused.value) == told
    # pyflyte prints the source of each place that an error went through.
    assert not [entry for entry in refused.traceback if "pydantic" in str(entry.path)]


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (AWSBatch, "AWSBatch('spot', 2): it takes values by name; write AWSBatch(queue='spot')"),
        (SecretVariable, "SecretVariable('spot', 2): it takes values by name; write SecretVariable(secret='spot')"),
    ],
)
def test_values_are_given_by_name(make: Callable[..., object], told: str) -> None:
    assert refusal(lambda: make("spot", 2)) == told


def test_an_exit_code_may_be_a_number() -> None:
    rule: Callable[..., ExitRule] = ExitRule
    assert rule(action="exit", exit_code=137) == ExitRule(action="exit", exit_code="137")
    assert "exit_code=True" in refusal(lambda: rule(action="exit", exit_code=True))


def test_what_authors_write_travels_and_comes_back() -> None:
    spec = AWSBatch(
        on_exit=(ExitRule(action="exit", exit_code="137"),),
        mounts=(EfsMount(path="/a", file_system="b"),),
        secrets={"A": SecretVariable(secret="c")},
    )
    custom = spec.to_custom()
    assert custom == {
        "on_exit": [{"action": "exit", "exit_code": "137"}],
        "mounts": [{"path": "/a", "file_system": "b"}],
        "secrets": {"A": {"secret": "c"}},
    }
    assert JobSpec.model_validate(custom).to_custom() == custom
    assert pickle.loads(pickle.dumps(spec)) == spec  # noqa: S301 - our own


def test_a_task_is_refused_with_every_reason() -> None:
    text = refusal(
        lambda: made(
            AWSBatch(on_exit=(ExitRule(action="retry"),)),
            pod_template=PodTemplate(),
            accelerator=T4,
            labels={"team": "a"},
            secret_requests=[
                Secret(group="g", key="k", mount_requirement=Secret.MountType.FILE),
                Secret(group="g", group_version="2"),
                Secret(group="team/g", key="k"),
            ],
        )
    )
    first, *reasons = text.splitlines()

    assert first == f"task {__name__}.double cannot run on AWS Batch:"
    assert [reason.partition(":")[0] for reason in reasons] == [
        *("- pod_template", "- accelerator", "- labels", "- Secret(group='g', key='k')"),
        *("- Secret(group='g', key=None)", "- Secret(group='team/g', key='k')"),
    ]
    assert "say AWSBatch(tags={...})" in text
    assert "group_version='2': a job gets the secret's current version" in text
    assert "no environment variable can be called _FSEC_TEAM/G_K; give env_var" in text


@pytest.mark.parametrize(
    ("config", "limits", "told"),
    [
        (AWSBatch(queue="fargate"), Resources(cpu="3", mem="8Gi"), "vcpus=3: Fargate has"),
        (AWSBatch(queue="fargate"), Resources(cpu="1", mem="2Gi", gpu="1"), "gpus=1: Fargate has none"),
        (
            AWSBatch(),
            Resources(cpu="1 core", mem="2Gi"),
            "'1 core' is no quantity: write such as 2, 500m, 512Mi or 14Gi",
        ),
        (AWSBatch(), Resources(gpu="500m"), "gpu=0.500: a job gets whole GPUs"),
        (AWSBatch(), Resources(ephemeral_storage="100Gi"), 'or say AWSBatch(queue="fargate")'),
        (AWSBatch(on_exit=(ExitRule(action="retry"),)), Resources(), "on_exit"),
    ],
)
def test_what_no_job_has_is_refused(config: AWSBatch, limits: Resources, told: str) -> None:
    assert told in refusal(lambda: made(config, limits=limits))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"limits": Resources(cpu="1", mem="2Gi", ephemeral_storage="500Gi")},
            "- ephemeral_storage: AWSBatch(ephemeral_gib=500): Input should be less than or equal to 200",
        ),
        (
            {"shared_memory": "0"},
            "- shared_memory='0': AWSBatch(shared_memory_mib=0): Input should be greater than or equal to 1",
        ),
        ({"shared_memory": "much"}, "- shared_memory='much' is no quantity: write such as 2, 500m, 512Mi or 14Gi"),
    ],
)
def test_what_flytekit_s_options_come_to_is_held_against_what_there_is(options: dict[str, Any], told: str) -> None:
    assert told in refusal(lambda: made(AWSBatch(queue="fargate"), **options)).splitlines()
    if "shared_memory" in options:
        assert (
            told in refusal(lambda: AWSBatchContainerTask(name="x", image="i", command=["a"], **options)).splitlines()
        )


def test_a_job_gets_what_it_asks_for_and_no_more() -> None:
    text = refusal(lambda: made(requests=Resources(cpu="1"), limits=Resources(cpu="2")))
    assert "cpu: requests 1 and limits 2: a job in Batch gets what it asks for and no more; give only limits" in text


def test_what_makes_tasks_while_it_runs_stays_with_flyte() -> None:
    text = refusal(lambda: dynamic(task_config=AWSBatch())(double))
    assert "@dynamic: it makes tasks while it runs, which only a pod of Flyte's can do" in text


@pytest.mark.parametrize(
    ("target", "options", "told"),
    [
        (
            functools.partial(cast("Any", batch_tasks.square), pls=1),
            {},
            "functools.partial(pls=...): there is no such input",
        ),
        (functools.partial(batch_tasks.greet, name="a"), {}, "no input is left that could be a list"),
        (functools.partial(batch_tasks.square, 1), {}, "functools.partial: give the values by name"),
        (batch_tasks.square, {"concurrency": 0}, "concurrency=0: 1 to 10,000, or leave it out"),
        (batch_tasks.square, {"min_success_ratio": 1.5}, "min_success_ratio=1.5: above 0, to 1"),
        (batch_tasks.ring, {}, "AWS Batch has no arrays of multi-node jobs"),
        (batch_tasks.total, {}, "for others there is flytekit.map_task"),
        (
            batch_tasks.total,
            {},
            f"map_task({batch_tasks.__name__}.total): it takes tasks with task_config=AWSBatch(...)",
        ),
        (functools.partial(double, number=1), {}, "map_task(double): it takes tasks with task_config=AWSBatch(...)"),
        (cast("Any", 7), {}, "map_task(7): it takes tasks"),
    ],
)
def test_a_list_that_is_no_array_is_refused(target: Callable[..., Any], options: dict[str, Any], told: str) -> None:
    assert told in refusal(lambda: map_task(target, **options))


def test_a_list_has_one_output() -> None:
    assert "it has 2 outputs, and a list has one" in refusal(lambda: map_task(made(function=pair)))


def test_a_container_is_refused_with_every_reason() -> None:
    text = refusal(
        lambda: AWSBatchContainerTask(
            name="x", image="i", command=["a", "{{.inputs.nothing}}"], inputs={"n": int}, outputs={"o": list[int]}
        )
    )
    assert text.splitlines() == [
        "task x cannot run on AWS Batch:",
        "- {{.inputs.nothing}}: there is no such input; there are n",
        (
            "- output o: a container writes files, directories, str, int, float or bool; declare a file, and read it in"
            " the next task"
        ),
    ]


def test_a_container_is_refused_with_options_that_nobody_would_regard() -> None:
    text = refusal(
        lambda: AWSBatchContainerTask(
            name="x",
            image="i",
            command=["a"],
            retries=3,
            interruptible=True,
            limit=1,
            colour="red",
            shared_memory="1Gi",
        )
    )
    assert text.splitlines()[1:4] == [
        "- retries=3: give metadata=TaskMetadata(retries=3)",
        "- interruptible=True: give metadata=TaskMetadata(interruptible=True)",
        "- limit=1: there is no such option; did you mean limits?",
    ]
    assert text.splitlines()[4:] == [
        (
            "- colour='red': there is no such option; there are name, image, command, arguments, inputs, outputs, "
            "task_config, requests, limits, resources, environment, secret_requests, metadata, shared_memory"
        )
    ]
    text = refusal(lambda: AWSBatchContainerTask(name="x", image="i", command=["a"], pod_template=PodTemplate()))
    assert len(text.splitlines()) == 2, "what has a remedy of its own is told once"


def test_names_are_python_s() -> None:
    text = refusal(lambda: AWSBatchContainerTask(name="x", image="i", command=["a"], outputs={"a-b": int}))
    assert "- output 'a-b': is no name in Python, as Flyte's are; give letters, digits and underscores" in text


def test_a_container_runs_nowhere_but_as_a_job() -> None:
    text = refusal(lambda: batch_tasks.count.run_here(number=1, text="", without=""))
    assert "give pyflyte run --raw-output-data-prefix s3://BUCKET/PREFIX" in text


def test_a_class_for_a_config_is_refused() -> None:
    forgotten = cast("AWSBatch", AWSBatch)
    told = "- task_config=AWSBatch: that is the class; write task_config=AWSBatch()"
    for make in (
        lambda: task(task_config=forgotten)(double),
        lambda: AWSBatchContainerTask(name="x", image="i", command=["a"], task_config=forgotten),
    ):
        assert refusal(make).splitlines()[1:] == [told]


def test_another_part_for_a_container_s_config_is_refused() -> None:
    config = cast("AWSBatch", ExitRule(action="exit", exit_code="1"))
    text = refusal(lambda: AWSBatchContainerTask(name="x", image="i", command=["a"], task_config=config))
    assert "- task_config=ExitRule(action='exit', exit_code='1', reason=None, status_reason=None): write " in text
    assert text.endswith("task_config=AWSBatch(...)")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("echo 'h i'", "a list of words is needed; write {}=['echo', 'h i']"),
        ("echo hi > /x && ls", "a list of words is needed; write {}=['sh', '-c', 'echo hi > /x && ls']"),
        ("it's", 'a list of words is needed; write {}=["it\'s"]'),
        ({"echo"}, "a list of words is needed; write such as {}=['echo', 'hi']"),
    ],
)
def test_a_command_is_a_list_of_words(given: Any, told: str) -> None:  # noqa: ANN401 - of any type
    text = refusal(lambda: AWSBatchContainerTask("x", "i", command=given, arguments=given))
    assert text.splitlines()[1:] == [
        f"- {option}={given!r}: {told.format(option)}" for option in ("command", "arguments")
    ]


def test_a_number_among_a_command_s_words_is_refused() -> None:
    words = cast("list[str]", ["sleep", 5])
    text = refusal(lambda: AWSBatchContainerTask("x", "i", words))
    assert text.splitlines()[1:] == ["- command[1]=5: text is needed; write '5'"]


def test_a_template_without_its_dot_is_refused() -> None:
    arguments = ["{{inputs.n}}", "--to={{ rawOutputDataPrefix }}/o", "{{inputs.m}}", "{{.inputs.n}}", "{{ own }}"]
    text = refusal(lambda: AWSBatchContainerTask("x", "i", ["a"], arguments, inputs={"n": int}))
    assert text.splitlines()[1:] == [
        "- {{inputs.n}}: a template begins with a dot; write {{.inputs.n}}",
        "- {{ rawOutputDataPrefix }}: a template begins with a dot; write {{.rawOutputDataPrefix}}",
        "- {{inputs.m}}: a template begins with a dot; write {{.inputs.m}}",
        "- {{.inputs.m}}: there is no such input; there are n",
    ]


def test_several_nodes_are_not_interruptible() -> None:
    told = "- interruptible=True with nodes=2: Batch runs multi-node jobs on no spot instances; leave interruptible out"
    text = refusal(lambda: made(AWSBatch(nodes=2), interruptible=True))
    assert text.splitlines()[1:] == [told]
    made(AWSBatch(nodes=2), interruptible=False)
