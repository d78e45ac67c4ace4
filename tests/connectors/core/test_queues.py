from typing import Any

import pytest

from flytekit_aws_batch.core.plan import JobRequest
from flytekit_aws_batch.core.planning import plan
from flytekit_aws_batch.core.settings import Queue
from flytekit_aws_batch.core.spec import JobSpec, Resources
from tests.connectors.core.job_requests import (
    REQUEST,
    SETTINGS,
    planned,
    queue,
    queue_arn,
    refusal,
    request,
)

GPUS = Resources(vcpus=8, memory_mib=60_000, gpus=1)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        (request(interruptible=None), "spot", "on-demand"),
        (request(interruptible=True), "spot", "on-demand"),
        (request(interruptible=False), "on-demand", None),
        (request(JobSpec(queue="spot"), interruptible=False), "spot", "on-demand"),
        (request(JobSpec(queue="on-demand"), interruptible=True), "on-demand", None),
        (request(JobSpec(queue=queue_arn("spot"))), "spot", "on-demand"),
        (request(JobSpec(queue="fargate")), "fargate", None),
        (request(JobSpec(architecture="arm64")), "arm", None),
        (request(resources=GPUS), "gpu", None),
        (request(resources=GPUS, domain="training"), "gpu", "gpu-on-demand"),
        (request(resources=GPUS, domain="training", interruptible=False), "gpu-on-demand", None),
        (request(JobSpec(queue="gpu-on-demand"), resources=GPUS, domain="training"), "gpu-on-demand", None),
        (request(JobSpec(nodes=2)), "on-demand", None),
        (request(JobSpec(nodes=2), resources=GPUS, domain="training"), "gpu-on-demand", None),
    ],
)
def test_the_queue_follows_from_what_is_asked_for(asked: JobRequest, first: str, last: str | None) -> None:
    found = planned(asked)
    assert (found.queue, found.last_queue) == (queue_arn(first), queue_arn(last) if last else None)


def test_a_domain_with_one_kind_of_instances_runs_there_what_names_none() -> None:
    for kind in ("spot", "on-demand"):
        for interruptible in (True, False):
            only = planned(request(interruptible=interruptible), queues={"*": (queue(kind),)})
            assert (only.queue, only.last_queue) == (queue_arn(kind), None)


def test_a_last_queue_whose_instances_are_too_small_is_none() -> None:
    small = queue("on-demand", most_memory_mib=1000)
    assert planned(REQUEST, queues={"*": (queue("spot"), small)}).last_queue is None


GPU = queue("gpu", most_vcpus=192, most_gpus=8)
SMALLER_GPU = queue("gpu", "gpu-on-demand", spot=False, most_vcpus=96, most_gpus=8)


@pytest.mark.parametrize("interruptible", [None, True, False])
@pytest.mark.parametrize(
    ("queues", "spec", "gpus", "expected"),
    [
        ((SMALLER_GPU, GPU), JobSpec(), 8, "gpu"),
        ((SMALLER_GPU, GPU), JobSpec(queue="gpu"), 8, "gpu"),
        ((queue("on-demand", most_vcpus=96), queue("spot", most_vcpus=192)), JobSpec(), 0, "spot"),
        ((queue("on-demand", most_vcpus=192), queue("spot", most_vcpus=96)), JobSpec(), 0, "on-demand"),
    ],
)
def test_what_only_one_of_the_queues_is_large_enough_for_goes_there(
    queues: tuple[Queue, ...], spec: JobSpec, gpus: int, expected: str, *, interruptible: bool | None
) -> None:
    asked = request(spec, resources=Resources(vcpus=180, memory_mib=60_000, gpus=gpus), interruptible=interruptible)
    found = planned(asked, queues={"*": queues})
    assert (found.queue, found.last_queue) == (queue_arn(expected), None)


def test_what_no_queue_is_large_enough_for_is_refused_by_the_one_that_it_would_have() -> None:
    queues = {"*": (GPU, SMALLER_GPU)}
    huge = Resources(vcpus=200, memory_mib=60_000, gpus=8)
    assert "vcpus=200: gpu has 192 at most" in refusal(request(resources=huge), queues=queues)
    stays = refusal(request(resources=huge, interruptible=False), queues=queues)
    assert "vcpus=200: gpu-on-demand has 96 at most" in stays


def test_jobs_of_several_nodes_never_go_to_spot_instances_as_those_are_larger() -> None:
    asked = request(JobSpec(nodes=2), resources=Resources(vcpus=180, memory_mib=60_000, gpus=8))
    told = refusal(asked, queues={"*": (GPU, SMALLER_GPU)})
    assert "vcpus=180: gpu-on-demand has 96 at most" in told
    assert "spot" not in told


@pytest.mark.parametrize("interruptible", [None, True, False])
def test_of_fargate_no_more_is_asked_than_all_jobs_of_the_queue_may_have(*, interruptible: bool | None) -> None:
    fargate = queue("fargate", most_vcpus=32)
    smaller = queue("fargate", "fargate-on-demand", spot=False, most_vcpus=16)
    largest = Resources(vcpus=32, memory_mib=61_440)
    asked = request(JobSpec(queue="fargate"), resources=largest, interruptible=interruptible)
    found = planned(asked, queues={"*": (fargate, smaller)})
    assert (found.queue, found.last_queue) == (queue_arn("fargate"), None)
    assert "vcpus=32: fargate-on-demand has 16 at most" in refusal(asked, queues={"*": (smaller,)})


def test_without_queues_in_the_settings_any_may_be_named() -> None:
    found = planned(request(JobSpec(queue="mine", share="risk")), queues={})
    assert (found.queue, found.last_queue, found.share) == ("mine", None, "risk")
    assert planned(request(JobSpec(queue="mine")), queues={}).share is None
    told = refusal(request(JobSpec(queue="spot")), queues={})
    assert "list no queues" in told
    assert "give the name or the ARN of a job queue" in told


def test_a_queue_of_which_nothing_is_known_has_the_platform_that_the_task_asks_for() -> None:
    definition = plan(request(JobSpec(queue="mine", ephemeral_gib=50)), SETTINGS.model_copy(update={"queues": {}}))[1]
    assert definition["platformCapabilities"] == ["FARGATE"]


def test_a_kind_that_the_domain_lacks_is_refused_with_those_that_it_has() -> None:
    queues = {"*": (queue("on-demand"), queue("spot"))}
    assert refusal(request(JobSpec(queue="fargate")), queues=queues) == (
        "queue of kind 'fargate': development has none; it has spot, on-demand; name one of them, or have a queue on "
        "Fargate made"
    )


@pytest.mark.parametrize(
    ("asked", "remedy"),
    [
        (request(resources=GPUS), "leave gpu out, or have a queue on instances with GPUs made"),
        (request(JobSpec(queue="gpu"), resources=GPUS), "leave gpu out and name one of them, or have a queue on "),
        (request(JobSpec(architecture="arm64")), "build the image for x86_64 and leave architecture out, or have "),
        (request(JobSpec(nodes=2)), "leave nodes out, or have a queue on on-demand instances made"),
    ],
)
def test_the_remedy_for_a_kind_that_is_not_there_is_not_refused_itself(asked: JobRequest, remedy: str) -> None:
    told = refusal(asked, queues={"*": (queue("spot"),)})
    assert "development has none; it has spot; " in told
    assert remedy in told


def test_who_needs_gpus_is_told_where_there_are_some() -> None:
    without, having = queue("spot"), queue("on-demand", "with-gpus", most_gpus=2)
    assert "it has spot, on-demand; name with-gpus, or" in refusal(
        request(resources=GPUS), queues={"*": (without, having)}
    )
    named = request(JobSpec(queue=queue_arn("spot")), resources=GPUS)
    assert refusal(named, queues={"*": (without,)}) == "gpus=1: spot (spot) has no GPUs; leave gpu out"
    assert refusal(named, queues={"*": (without, GPU)}) == "gpus=1: spot (spot) has no GPUs; use queue='gpu'"


@pytest.mark.parametrize(
    ("most", "asked", "words"),
    [
        ({"most_vcpus": 16}, Resources(vcpus=16.5, memory_mib=512), "vcpus=16.5: spot has 16 at most"),
        ({"most_memory_mib": 30_000}, Resources(vcpus=1, memory_mib=30_001), "memory_mib=30001: spot has 30000 MiB at"),
        ({"most_gpus": 4}, Resources(vcpus=1, memory_mib=512, gpus=5), "gpus=5: spot has 4 at most"),
    ],
)
def test_what_no_instance_of_the_queue_has_is_refused(most: dict[str, Any], asked: Resources, words: str) -> None:
    queues = {"*": (queue("spot", **most),)}
    spec = JobSpec(queue=queue_arn("spot"))
    assert words in refusal(request(spec, resources=asked), queues=queues)
    fitting = Resources(vcpus=min(asked.vcpus, 16), memory_mib=min(asked.memory_mib, 30_000), gpus=min(asked.gpus, 4))
    assert planned(request(spec, resources=fitting), queues=queues).queue == queue_arn("spot")


LARGE: dict[str, Any] = {"most_vcpus": 96, "most_memory_mib": 700_000}


@pytest.mark.parametrize(
    ("others", "remedy"),
    [
        ((), "ask for less"),
        ((queue("on-demand", most_vcpus=32, most_memory_mib=300_000),), "ask for less"),
        ((queue("on-demand", **LARGE),), "ask for less, or name on-demand"),
        # Of one that nothing is known of nobody can say that it is larger.
        ((queue("on-demand"),), "ask for less"),
        # None of these would take it, or be meant.
        ((queue("arm", **LARGE), queue("gpu", **LARGE), queue("fargate", **LARGE)), "ask for less"),
    ],
)
def test_a_larger_queue_is_named_where_there_is_one(others: tuple[Queue, ...], remedy: str) -> None:
    small = queue("spot", most_vcpus=64, most_memory_mib=480_000)
    huge = request(JobSpec(queue="spot"), resources=Resources(vcpus=80, memory_mib=600_000))
    assert refusal(huge, queues={"*": (small, *others)}).splitlines() == [
        f"vcpus=80: spot has 64 at most for one container; {remedy}",
        f"memory_mib=600000: spot has 480000 MiB at most for one container; {remedy}",
    ]


def test_jobs_of_several_nodes_are_told_of_larger_queues_without_spot_alone() -> None:
    small, large = queue("on-demand", most_vcpus=64, most_memory_mib=480_000), queue("spot", **LARGE)
    asked = request(JobSpec(nodes=2), resources=Resources(vcpus=80, memory_mib=4096))
    assert refusal(asked, queues={"*": (small, large)}).endswith("; ask for less")


def test_without_fair_share_a_share_or_a_priority_is_refused() -> None:
    queues = {"*": (queue("spot", fair_share=False),)}
    assert "share='risk': spot has no fair share" in refusal(request(JobSpec(share="risk")), queues=queues)
    assert "priority=3: spot has no fair share" in refusal(request(JobSpec(priority=3)), queues=queues)
    assert planned(REQUEST, queues=queues).share is None


def test_the_share_is_the_task_s_or_the_project_s() -> None:
    asked = request(project="fraud-detection")
    assert planned(asked).share == "frauddetection"
    assert planned(asked, shares={"fraud-detection": "fd1"}).share == "fd1"
    assert planned(request(JobSpec(share="risk"))).share == planned(request(JobSpec(share="risk"))).last_share == "risk"
