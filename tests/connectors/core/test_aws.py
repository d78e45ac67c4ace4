import asyncio
import io
import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from botocore.response import StreamingBody
from prometheus_client import CollectorRegistry
from urllib3 import HTTPResponse

from flytekit_aws_batch.core.aws import Aws, CallError, see_region
from flytekit_aws_batch.core.call_errors import TooLargeError
from flytekit_aws_batch.core.clock import Clock
from flytekit_aws_batch.core.metrics import Metrics
from flytekit_aws_batch.core.pace import Gate, Pace
from flytekit_aws_batch.core.settings import Limits, Settings, SettingsError
from tests.connectors.core.fake_aws import FakeClock, World, client_error

URL = "https://batch.example"


def failing(*errors: Exception) -> Callable[..., dict[str, Any]]:
    """Raises the errors one after another, and answers then."""
    left = list(errors)

    def answer(**_: object) -> dict[str, Any]:
        if left:
            raise left.pop(0)
        return {"jobs": []}

    return answer


def always(error: Exception) -> Callable[..., dict[str, Any]]:
    def answer(**_: object) -> dict[str, Any]:
        raise error

    return answer


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (client_error("TooManyRequestsException", 429), "throttled"),
        (client_error("Whatever", 429), "throttled"),
        (client_error("ThrottlingException", 400), "throttled"),
        (client_error("RequestLimitExceeded", 503), "throttled"),
        (client_error("SlowDown", 503), "throttled"),
        (client_error("ConditionalRequestConflict", 409), "throttled"),
        (client_error("ExpiredTokenException", 403), "throttled"),
        (client_error("RequestTimeTooSkewed", 403), "throttled"),
        (client_error("InvalidSignatureException", 403), "throttled"),
        # STS says it to botocore, which has not made the call yet.
        (client_error("IDPCommunicationError", 400, "AssumeRoleWithWebIdentity"), "throttled"),
        (client_error("InvalidIdentityToken", 400, "AssumeRoleWithWebIdentity"), "throttled"),
        (client_error("AccessDenied", 403, "AssumeRoleWithWebIdentity"), "throttled"),
        (client_error("AccessDenied", 403, "AssumeRole"), "throttled"),
        (ConnectTimeoutError(endpoint_url=URL), "throttled"),
        (EndpointConnectionError(endpoint_url=URL), "throttled"),
        (CredentialRetrievalError(provider="web identity", error_msg="STS is away"), "throttled"),
        (client_error("ServerException", 500), "ambiguous"),
        (client_error("ServiceUnavailable", 503), "ambiguous"),
        (client_error("RequestTimeout", 400), "ambiguous"),
        (ReadTimeoutError(endpoint_url=URL), "ambiguous"),
        (ConnectionClosedError(endpoint_url=URL), "ambiguous"),
        (client_error("ClientException", 400), "refused"),
        (client_error("PreconditionFailed", 412), "refused"),
        (client_error("LimitExceededException", 409), "refused"),
        (client_error("AccessDeniedException", 403), "forbidden"),
        (client_error("AccessDenied", 400), "forbidden"),
        (client_error("403", 403), "forbidden"),
        (NoCredentialsError(), "forbidden"),
        (client_error("NoSuchKey", 404), "not_found"),
        (client_error("404", 404), "not_found"),
        (client_error("NoSuchEntity", 400), "not_found"),
    ],
)
def test_errors_are_sorted_by_what_follows_of_them(error: Exception, kind: str) -> None:
    world = World()
    world.answers["describe_jobs"] = always(error)
    with pytest.raises(CallError) as raised:
        world.run(world.aws.call("batch", "describe_jobs", once=True, jobs=["one"]))
    assert raised.value.kind == kind
    assert raised.value.__cause__ is error
    assert world.sample("api_calls_total", operation="DescribeJobs", result=kind) == 1


def test_an_error_says_which_operation_and_what_aws_says() -> None:
    world = World()
    world.answers["submit_job"] = always(client_error("ClientException", 400))
    with pytest.raises(CallError, match=r"^SubmitJob: ClientException: said AWS$") as raised:
        world.run(world.aws.call("batch", "submit_job", jobName="a"))
    assert (raised.value.code, raised.value.message) == ("ClientException", "said AWS")


def test_an_error_says_when_it_was_credentials_that_could_not_be_had() -> None:
    world = World()
    world.answers["submit_job"] = always(client_error("AccessDenied", 403, "AssumeRoleWithWebIdentity"))
    words = r"^SubmitJob: AccessDenied: AssumeRoleWithWebIdentity gives no credentials: said AWS$"
    with pytest.raises(CallError, match=words):
        world.run(world.aws.call("batch", "submit_job", once=True, jobName="a"))


def test_what_passes_is_tried_again() -> None:
    world = World()
    world.answers["describe_jobs"] = failing(
        client_error("TooManyRequestsException", 429), ReadTimeoutError(endpoint_url=URL), client_error("X", 500)
    )
    assert world.run(world.aws.call("batch", "describe_jobs", jobs=["one"])) == {"jobs": []}
    assert len(world.client.calls) == 4
    assert world.sample("api_retries_total", operation="DescribeJobs") == 3
    assert world.sample("api_calls_total", operation="DescribeJobs", result="ok") == 1
    assert world.sample("api_seconds_count", operation="DescribeJobs") == 4


def test_what_does_not_pass_is_not_tried_again() -> None:
    world = World()
    world.answers["describe_jobs"] = always(client_error("AccessDeniedException", 403))
    with pytest.raises(CallError):
        world.run(world.aws.call("batch", "describe_jobs", jobs=["one"]))
    assert len(world.client.calls) == 1


def test_pauses_grow_to_a_limit_until_patience_ends() -> None:
    world = World(chance=1.0, patience_seconds=30, limits=Limits(others=50))
    world.answers["list_jobs"] = always(client_error("TooManyRequestsException", 429))
    with pytest.raises(CallError) as raised:
        world.run(world.aws.call("batch", "list_jobs", jobQueue="queue"))
    times = [time for time, _, _ in world.client.calls]
    pauses = [round(later - sooner, 3) for sooner, later in itertools.pairwise(times)]
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5, 5]
    assert raised.value.kind == "throttled"
    assert times[-1] - times[0] <= 30 < times[-1] - times[0] + 5


def test_pauses_are_spread_by_chance() -> None:
    world = World()
    world.answers["list_jobs"] = failing(*[client_error("TooManyRequestsException", 429)] * 4)
    world.run(world.aws.call("batch", "list_jobs", jobQueue="queue"))
    times = [time for time, _, _ in world.client.calls]
    pauses = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert all(0 <= pause <= most for pause, most in zip(pauses, (0.2, 0.4, 0.8, 1.6), strict=True))
    assert len({round(pause / most, 3) for pause, most in zip(pauses, (0.2, 0.4, 0.8, 1.6), strict=True)}) == 4


def test_patience_of_one_call_may_be_its_own() -> None:
    world = World(chance=1.0)
    world.answers["list_jobs"] = always(client_error("ServerException", 500))
    with pytest.raises(CallError):
        world.run(world.aws.call("batch", "list_jobs", patience_seconds=0.5, jobQueue="queue"))
    assert len(world.client.calls) == 2


def test_what_may_happen_only_once_is_tried_once() -> None:
    world = World()
    world.answers["submit_job"] = always(ReadTimeoutError(endpoint_url=URL))
    with pytest.raises(CallError):
        world.run(world.aws.call("batch", "submit_job", once=True, jobName="a"))
    assert len(world.client.calls) == 1


async def gathered(world: World, service: str, operation: str, count: int) -> list[object]:
    calls = (world.aws.call(service, operation, number=number) for number in range(count))
    return list(await asyncio.gather(*calls, return_exceptions=True))


def test_submissions_keep_their_rate_in_every_second_and_their_order() -> None:
    world = World(limits=Limits(submits=30), patience_seconds=60)
    world.answers["submit_job"] = lambda **_: {}
    world.run(gathered(world, "batch", "submit_job", 300))
    times = [time for time, _, _ in world.client.calls]
    assert [request["number"] for request in world.client.of("submit_job")] == list(range(300))
    assert max(sum(start <= time < start + 0.999 for time in times) for start in times) <= 30
    assert times[-1] - times[0] == pytest.approx(299 / 30)


def test_groups_do_not_take_each_others_places() -> None:
    world = World(limits=Limits(submits=1, describes=1, others=1))
    for operation in ("submit_job", "describe_jobs", "list_jobs", "put_object"):
        world.answers[operation] = lambda **_: {}

    async def one_of_each() -> None:
        await asyncio.gather(*(world.aws.call("batch", operation) for operation in list(world.answers)[:3]))

    world.run(one_of_each())
    assert {time for time, _, _ in world.client.calls} == {1000.0}


def test_s3_has_no_limit() -> None:
    world = World()
    world.answers["put_object"] = lambda **_: {}
    world.run(gathered(world, "s3", "put_object", 500))
    assert {time for time, _, _ in world.client.calls} == {1000.0}


def test_who_would_wait_too_long_in_the_line_is_told_so_and_takes_no_place() -> None:
    world = World(limits=Limits(submits=8), patience_seconds=5)
    world.answers["submit_job"] = lambda **_: {}
    results = world.run(gathered(world, "batch", "submit_job", 100))
    refused = [result for result in results if isinstance(result, CallError)]
    assert {(error.kind, error.code) for error in refused} == {("throttled", "OwnLimit")}
    assert len(world.client.calls) == 41
    assert len(refused) == 59
    wait = world.aws.reserve("batch", "submit_job", 60)
    assert wait is not None
    assert wait < 1, "the places of those who were refused are free"


def test_limits_hold_across_event_loops_of_which_some_are_closed() -> None:
    world = World(limits=Limits(describes=2), patience_seconds=60)
    world.answers["describe_jobs"] = lambda **_: {}
    for _ in range(5):
        world.run(world.aws.call("batch", "describe_jobs"))
    assert [time - 1000 for time, _, _ in world.client.calls] == pytest.approx([0, 0.5, 1, 1.5, 2])


def test_a_second_loop_calls_while_the_first_stands_still() -> None:
    world = World()
    world.answers["describe_jobs"] = lambda **_: {"jobs": ["first"]}
    world.answers["terminate_job"] = lambda **_: {"stopped": True}
    first, second = world.clock.loop(), world.clock.loop()
    waiting = first.create_task(world.aws.call("batch", "describe_jobs"))
    first.run_until_complete(asyncio.sleep(0))
    assert second.run_until_complete(world.aws.call("batch", "terminate_job")) == {"stopped": True}
    second.close()
    assert first.run_until_complete(waiting) == {"jobs": ["first"]}
    first.close()


def test_a_client_is_made_once_and_by_one_thread_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.answers["describe_jobs"] = lambda **_: {}
    make = world.session.create_client
    locked: list[bool] = []

    def create_client(service: str, **options: object) -> object:
        locked.append(world.aws._making.locked())  # noqa: SLF001 - what two threads do at once cannot be seen for sure
        return make(service, **options)

    monkeypatch.setattr(world.session, "create_client", create_client)
    threads = [threading.Thread(target=world.aws.attempt, args=("batch", "describe_jobs", {})) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (world.session.created, locked) == (["batch"], [True])


def test_a_body_that_is_too_large_is_not_taken_from_the_wire() -> None:
    world, raw = World(), io.BytesIO(b"0123456789")
    world.answers["get_object"] = lambda **_: {"Body": StreamingBody(raw, 10), "ContentLength": 10}
    with pytest.raises(TooLargeError, match="s3://b/k has 10 bytes, and 9 are read at most"):
        world.run(world.aws.call("s3", "get_object", most_bytes=9, Bucket="b", Key="k"))
    assert raw.closed
    assert world.sample("api_calls_total", operation="GetObject", result="refused") == 1
    raw = io.BytesIO(b"0123456789")
    assert world.run(world.aws.call("s3", "get_object", most_bytes=10, Bucket="b", Key="k"))["Body"] == b"0123456789"


def test_there_is_a_connection_for_every_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    session = botocore.session.Session()

    def create_client(_: str, **options: object) -> object:
        made.append(options["config"])
        return World().client

    monkeypatch.setattr(session, "create_client", create_client)
    aws = Aws(Settings(region="eu-west-1"), session=session, metrics=Metrics(CollectorRegistry()))
    with pytest.raises(KeyError):
        aws.attempt("batch", "describe_jobs", {})
    # How many threads it has nothing else tells.
    executors: list[Any] = [aws._executor, aws._submitting]  # noqa: SLF001 - see above
    threads = sum(each._max_workers for each in executors)  # noqa: SLF001 - see above
    assert made[0].max_pool_connections == threads
    aws.close()


def test_a_request_that_the_service_does_not_know_is_a_mistake_and_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    registry = CollectorRegistry()
    aws = Aws(Settings(region="cn-north-1"), metrics=Metrics(registry), clock=Clock())
    with pytest.raises(ParamValidationError, match="jobz"):
        asyncio.run(aws.call("batch", "describe_jobs", jobz=["one"]))
    assert (aws.region, aws.partition) == ("cn-north-1", "aws-cn")
    aws.close()
    labels = {"operation": "DescribeJobs", "result": "bug"}
    assert registry.get_sample_value("flyte_aws_batch_api_calls_total", labels) == 1


@pytest.mark.parametrize(("renewal_seconds", "code"), [(5, "EndpointConnectionError"), (30, "TooLate")])
def test_a_submission_does_not_leave_after_its_time_however_long_its_credentials_took(
    renewal_seconds: int, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    # Nothing listens there: what is sent comes to a code of its own.
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    clock, session = FakeClock(), botocore.session.Session()
    session.register("before-sign.batch.*", lambda **_: clock.sleep(renewal_seconds))
    aws = Aws(Settings(region="eu-west-1"), session=session, metrics=Metrics(CollectorRegistry()), clock=clock)
    request = {"jobName": "a", "jobQueue": "q", "jobDefinition": "d"}
    with pytest.raises(CallError) as raised:
        aws.attempt("batch", "submit_job", request, not_after=clock.now() + 20)
    assert (raised.value.code, raised.value.kind) == (code, "throttled")
    # No other call has to do with that one's time.
    with pytest.raises(CallError, match="EndpointConnectionError"):
        aws.attempt("batch", "submit_job", request)
    aws.close()


def test_without_a_region_the_settings_are_to_be_mended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    aws = Aws(Settings(), session=botocore.session.Session(), metrics=Metrics(CollectorRegistry()), clock=FakeClock())
    with pytest.raises(SettingsError, match="region is missing"):
        aws.attempt("batch", "describe_jobs", {"jobs": []})
    aws.close()
    with pytest.raises(SettingsError, match="region is missing"):
        see_region(Settings())
    see_region(Settings(region="eu-west-1"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    see_region(Settings())


def test_submissions_whose_time_came_together_still_leave_one_after_the_other() -> None:
    clock = FakeClock()
    gate, left = Gate(25, clock), []
    for _ in range(50):
        gate.enter()
        left.append(clock.now())
    assert left[0] == 1000
    assert [round(after - before, 6) for before, after in itertools.pairwise(left)] == [0.04] * 49


def test_submissions_that_hang_leave_threads_to_questions_and_are_eight_at_once() -> None:
    world = World()
    aws = Aws(
        Settings(),
        session=world.session,  # type: ignore[arg-type]  # what of a session is used, it has
        metrics=Metrics(CollectorRegistry()),
        clock=world.clock,
    )
    full, answer, lock, inside, most = threading.Event(), threading.Event(), threading.Lock(), 0, 0

    def submit_job(**_: object) -> dict[str, Any]:
        nonlocal inside, most
        with lock:
            inside, most = inside + 1, max(most, inside + 1)
            if inside == 8:
                full.set()
        answer.wait(30)
        with lock:
            inside -= 1
        return {}

    world.answers["submit_job"] = submit_job
    world.answers["describe_jobs"] = lambda **_: {"jobs": []}
    submissions = [aws.submit("batch", "submit_job", {}) for _ in range(40)]
    assert full.wait(30)
    assert aws.submit("batch", "describe_jobs", {}).result(timeout=20) == {"jobs": []}
    assert not any(submission.done() for submission in submissions)
    answer.set()
    assert [submission.result(timeout=30) for submission in submissions] == [{}] * 40
    assert most == 8
    aws.close()


def test_botocore_tries_nothing_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    session, sent = botocore.session.Session(), []

    def fails(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        sent.append(request.url)
        return AWSResponse(request.url, 500, HTTPHeaders(), HTTPResponse(io.BytesIO(), preload_content=False))

    session.register("before-send.batch.SubmitJob", fails)  # type: ignore[arg-type]  # it may answer, as botocore says
    aws = Aws(Settings(region="eu-west-1"), session=session, metrics=Metrics(CollectorRegistry()), clock=FakeClock())
    with pytest.raises(CallError) as raised:
        aws.attempt("batch", "submit_job", {"jobName": "a", "jobQueue": "q", "jobDefinition": "d"})
    assert raised.value.kind == "ambiguous"
    assert len(sent) == 1
    aws.close()


def test_after_a_rest_as_many_calls_go_at_once_as_are_saved() -> None:
    clock = FakeClock()
    pace = Pace(2, 3, clock)
    assert [pace.reserve(60) for _ in range(5)] == [0, 0, 0, 0.5, 1]
    clock.time += 100
    assert [pace.reserve(60) for _ in range(5)] == [0, 0, 0, 0.5, 1]
    clock.time += 2
    assert [pace.reserve(60) for _ in range(3)] == [0, 0, 0.5], "a second saves two"
    steady = Pace(2, 1, clock)
    assert [steady.reserve(60) for _ in range(3)] == [0, 0.5, 1]
