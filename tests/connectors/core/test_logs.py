import json
from typing import Any

import pytest

from flytekit_aws_batch.core import logs
from flytekit_aws_batch.core.aws import CallError
from flytekit_aws_batch.core.job_state import JobState
from flytekit_aws_batch.core.logs import LogLine, LogPage
from tests.connectors.core.fake_aws import World, client_error, detail

EVENTS = [{"timestamp": 1_500, "message": "first"}, {"timestamp": 2_000, "message": "second"}]


def refusing(code: str, status: int) -> World:
    world = World()

    def refuse(**_: object) -> dict[str, Any]:
        raise client_error(code, status)

    world.answers["get_log_events"] = refuse
    return world


def test_the_last_lines_are_read_from_the_end() -> None:
    world = World()
    world.answers["get_log_events"] = lambda **_: {"events": EVENTS, "nextForwardToken": "f"}
    assert world.run(logs.last_lines(world.aws, "/jobs", "a/b", 2)) == ("first", "second")
    assert world.client.of("get_log_events") == [
        {"logGroupName": "/jobs", "logStreamName": "a/b", "limit": 2, "startFromHead": False}
    ]


@pytest.mark.parametrize(
    ("code", "status"),
    [("ResourceNotFoundException", 400), ("AccessDeniedException", 400), ("ServiceUnavailable", 503)],
)
def test_without_a_log_there_are_no_last_lines(code: str, status: int) -> None:
    world = refusing(code, status)
    assert world.run(logs.last_lines(world.aws, "/jobs", "a/b")) == ()
    assert world.clock.time <= 1003, "nobody waits long for a log"


def test_a_page_leads_to_the_next() -> None:
    world = World()
    world.answers["get_log_events"] = lambda **_: {"events": EVENTS, "nextForwardToken": "f/2"}
    first = world.run(logs.page(world.aws, "/jobs", "a/b"))
    assert first == LogPage(lines=(LogLine(at=1.5, text="first"), LogLine(at=2, text="second")), token="f/2")
    world.run(logs.page(world.aws, "/jobs", "a/b", first.token, 5))
    assert world.client.of("get_log_events") == [
        {"logGroupName": "/jobs", "logStreamName": "a/b", "limit": 1000, "startFromHead": True},
        {"logGroupName": "/jobs", "logStreamName": "a/b", "limit": 5, "startFromHead": True, "nextToken": "f/2"},
    ]


def test_a_log_that_is_not_there_yet_is_an_empty_page() -> None:
    world = refusing("ResourceNotFoundException", 400)
    assert world.run(logs.page(world.aws, "/jobs", "a/b", "f/1")) == LogPage(token="f/1")


def test_a_log_that_may_not_be_read_is_an_error() -> None:
    world = refusing("AccessDeniedException", 400)
    with pytest.raises(CallError, match="GetLogEvents: AccessDeniedException"):
        world.run(logs.page(world.aws, "/jobs", "a/b"))


def test_a_jobs_stream_is_its_last_containers() -> None:
    job = JobState.of(detail())
    assert logs.stream_of(job) is None
    attempts = [{"container": {"logStreamName": "job/default/1"}}, {"container": {}, "statusReason": "Host EC2"}]
    job = JobState.of(detail(attempts=attempts))
    assert logs.stream_of(job) == ("/aws/batch/job", "job/default/1")
    job = JobState.of(detail(attempts=[{"container": {"logStreamName": "job/default/0"}}, *attempts]))
    assert logs.stream_of(job) == ("/aws/batch/job", "job/default/1")
    container = {"logStreamName": "job/default/2", "logConfiguration": {"options": {"awslogs-group": "/jobs"}}}
    job = JobState.of(detail(attempts=attempts, container=container))
    assert logs.stream_of(job) == ("/jobs", "job/default/2")


FOLDED = """\
09:52:47.514076 ERROR    asyn.py:64 - Taskrunner for MainThread : loop-runner
                         caught exception in <_UnixSelectorEventLoop
                         running=True closed=False debug=False>:
                         {'client_session': <aiohttp.client.ClientSession object
                         at 0x7f045bfc2f90>, 'message': 'Unclosed client
                         session'}"""
PENDING = (
    "[flytekit] Taskrunner for MainThread : loop-runner caught exception in <_UnixSelectorEventLoop running=False>: "
    "{'task': <Task pending name='Task-9' coro=<ClientCreatorContext.__aexit__() running at "
    "/venv/lib/aiobotocore/session.py:45>>, 'message': 'Task was destroyed but it is pending!'}"
)
OWN = (
    "[flytekit] Taskrunner for MainThread : loop-runner caught exception in <Loop>: {'message': 'Task exception', ...}"
)


def in_json(message: str, name: str = "flytekit") -> str:
    """As flytekit writes it in a job (flytekit.loggers.initialize_global_loggers), and many authors, too."""
    return json.dumps({"asctime": "2026-11-22 12:57:11", "name": name, "levelname": "ERROR", "message": message})


OF_THE_LOOP = "Taskrunner for MainThread : loop-runner caught exception in <_UnixSelectorEventLoop running=True>: "
CONNECTOR = (
    f"{OF_THE_LOOP}{{'connector': <aiobotocore.httpsession._ProxySSLTCPConnector object at 0x7f13e4b58d10>, "
    "'connections': ['deque([])'], 'message': 'Unclosed connector'}"
)


@pytest.mark.parametrize(
    "noise",
    [
        in_json(CONNECTOR),
        in_json(PENDING.removeprefix("[flytekit] ")),
        CONNECTOR,
        "Unclosed connector\nconnections: []\nconnector: <aiobotocore.httpsession._ProxySSLTCPConnector object at 0x7>",
        FOLDED,
        FOLDED.replace("'Unclosed client\n                         session'", "'Un\n                         closed'"),
        PENDING,
        "Unclosed client session\nclient_session: <aiohttp.client.ClientSession object at 0x7f>",
        (
            "Unclosed connector\nconnections: ['[(<aiohttp.client_proto.ResponseHandler object at 0x7f>, 1.0)]']\n"
            "connector: <aiohttp.connector.TCPConnector object at 0x7f>"
        ),
    ],
)
def test_what_flytekit_writes_as_it_ends_tells_nothing(noise: str) -> None:
    lines = ["ValueError: unlucky 13", *noise.split("\n"), "", "  at last  ", *noise.split("\n")]
    assert list(logs.telling(lines)) == ["ValueError: unlucky 13", "  at last"]


def test_what_the_code_writes_is_kept() -> None:
    lines = [
        OWN,
        in_json(OWN.removeprefix("[flytekit] ")),
        in_json("Unclosed client session", "churn"),
        in_json(CONNECTOR, "churn"),
        in_json("rate is 0"),
        "{'rate': 0}",
        '{"rate": 0',
    ]
    assert list(logs.telling(lines)) == lines
    lines = [OWN, " " * 25 + "of the code's own", "connector: mine", "Unclosed client session of mine", " " * 25 + "x"]
    assert list(logs.telling(lines)) == lines
