"""Outputs on their way from where jobs leave them to where Flyte looks for them, in an S3 that is a dict."""

import asyncio
import base64
import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import pytest
from flyteidl.core.literals_pb2 import Literal, LiteralMap, Primitive, Scalar
from flytekit.configuration import ImageConfig, SerializationSettings
from flytekit.core.context_manager import FlyteContextManager
from flytekit.core.type_engine import TypeEngine
from flytekit.models.literals import LiteralMap as LiteralMapModel
from flytekit.tools.translator import get_serializable

from flytekit_aws_batch import map_task
from flytekit_aws_batch.config import OUTPUTS_VARIABLE, Expected, Kind
from flytekit_aws_batch.core.aws import Aws, CallError
from flytekit_aws_batch.core.call_errors import TooLargeError
from flytekit_aws_batch.core.plan import Handle, Plan
from flytekit_aws_batch.core.progress import Phase, Progress
from flytekit_aws_batch.core.spec import ArraySpec, Resources
from flytekit_aws_batch.outputs import Delivery, Outputs
from tests.connectors.flytekit import batch_tasks

if TYPE_CHECKING:
    from flytekit_aws_batch.core.storage import Storage

PREFIX = "s3://bucket/run/data/0"
EARLIER = "s3://bucket/run/data/earlier"


class FakeStorage:
    """S3, until somebody holds it up or breaks it."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.flows = threading.Event()
        self.flows.set()
        self.error: CallError | None = None
        self.patience: float | None = None
        self.large = ""

    async def read(self, url: str, *, patience_seconds: float | None = None) -> bytes | None:
        self.patience = patience_seconds
        if self.error is not None:
            raise self.error
        if url == self.large:
            raise TooLargeError("GetObject", url, 99, 10)
        if not url.endswith("/plan.json"):
            await asyncio.to_thread(self.flows.wait)
        return self.objects.get(url)

    async def write(self, url: str, body: bytes, *, patience_seconds: float | None = None) -> None:
        self.patience = patience_seconds
        if self.error is not None:
            raise self.error
        self.objects[url] = body

    async def exists(self, url: str) -> bool:
        return url in self.objects

    async def copy(self, source: str, target: str) -> None:
        self.objects[target] = self.objects[source]


class _NoThreads(ThreadPoolExecutor):
    def submit(self, *_: object, **__: object) -> Future[Any]:
        raise AssertionError("a thread of the event loop's was asked for")


def number(value: int) -> bytes:
    literal = Literal(scalar=Scalar(primitive=Primitive(integer=value)))
    body: bytes = LiteralMap(literals={"o0": literal}).SerializeToString()
    return body


def expected(outputs: Outputs, task: object, kind: Kind) -> Expected:
    template = get_serializable(OrderedDict(), SerializationSettings(ImageConfig()), task).template
    return asyncio.run(outputs.expect(template, kind, PREFIX, None))


def list_of(
    storage: FakeStorage, size: int, prefix: str = PREFIX, environment: Mapping[str, str] = MappingProxyType({})
) -> None:
    """A list that has been run."""
    plan = Plan(
        name="n",
        attempt=0,
        project="p",
        domain="d",
        definition="",
        queue="q",
        command=(),
        **cast(
            "Any",
            {"environment": dict(environment), "attempts": 1, "tags": {}, "log_group": "", "output_prefix": prefix},
        ),
        resources=Resources(vcpus=1, memory_mib=1),
        array=ArraySpec(size=size),
    )
    storage.objects[f"{prefix}/aws-batch/plan.json"] = plan.model_dump_json().encode()
    storage.objects.update({f"{prefix}/{index}/outputs.pb": number(index) for index in range(size)})


def delivered(
    outputs: Outputs,
    what: Expected,
    *,
    failed: tuple[int, ...] = (),
    deliver_to: str | None = None,
    source: str = PREFIX,
) -> Delivery:
    progress = Progress(phase=Phase.SUCCEEDED, message="", failed_indices=failed, output_prefix=source)
    handle = Handle(output_prefix=source, name="n", attempt=0, deliver_to=deliver_to)
    return asyncio.run(outputs.deliver(what, handle, progress))


def values(storage: FakeStorage, task: Any, prefix: str = PREFIX) -> object:  # noqa: ANN401 - flytekit's
    literals = LiteralMapModel.from_flyte_idl(LiteralMap.FromString(storage.objects[f"{prefix}/outputs.pb"]))
    context = FlyteContextManager.current_context()
    return TypeEngine.literal_map_to_kwargs(context, literals, task.python_interface.outputs)["o0"]


@pytest.fixture
def storage() -> FakeStorage:
    return FakeStorage()


@pytest.fixture
def outputs(storage: FakeStorage) -> Outputs:
    return Outputs(cast("Aws", None), cast("Storage", storage), patience_seconds=0.05)


def test_a_long_list_is_gathered_meanwhile_and_anew_by_another_connector(
    storage: FakeStorage, outputs: Outputs
) -> None:
    what = expected(outputs, batch_tasks.squares, "list")
    list_of(storage, 1200)
    storage.flows.clear()

    assert delivered(outputs, what).waits == "gathering outputs 0 of 1,200"
    other = Outputs(cast("Aws", None), cast("Storage", storage), patience_seconds=60)
    storage.flows.set()
    assert delivered(other, what) == Delivery()
    assert values(storage, batch_tasks.squares) == list(range(1200))
    assert delivered(other, what) == Delivery()


@pytest.mark.parametrize(("size", "large"), [(3000, False), (3200, True)])
def test_a_large_list_lies_beside_the_outputs_and_is_read_all_the_same(
    storage: FakeStorage, outputs: Outputs, size: int, *, large: bool
) -> None:
    what = expected(outputs, map_task(batch_tasks.greet), "list")
    list_of(storage, size)
    pages = [f"{index:1000}" for index in range(size)]
    for index, page in enumerate(pages):
        literal = Literal(scalar=Scalar(primitive=Primitive(string_value=page)))
        storage.objects[f"{PREFIX}/{index}/outputs.pb"] = LiteralMap(literals={"o0": literal}).SerializeToString()

    while delivered(outputs, what).waits:
        pass
    whole = LiteralMap.FromString(storage.objects[f"{PREFIX}/outputs.pb"]).literals["o0"]
    assert (whole.WhichOneof("value") == "offloaded_metadata") is large
    if large:
        beside = storage.objects.pop(whole.offloaded_metadata.uri)
        assert whole.offloaded_metadata.uri.startswith(f"{PREFIX}/")
        assert whole.offloaded_metadata.size_bytes == len(beside)
        assert whole.hash
        whole = Literal.FromString(beside)
    assert [each.scalar.primitive.string_value for each in whole.collection.literals] == pages


def test_none_stands_for_what_failed(storage: FakeStorage, outputs: Outputs) -> None:
    what = expected(outputs, batch_tasks.most_squares, "list")
    list_of(storage, 3)
    del storage.objects[f"{PREFIX}/1/outputs.pb"]

    while delivered(outputs, what, failed=(1,)).waits:
        pass
    assert values(storage, batch_tasks.most_squares) == [0, None, 2]


def test_an_element_that_left_nothing_fails_the_list(storage: FakeStorage, outputs: Outputs) -> None:
    what = expected(outputs, batch_tasks.squares, "list")
    list_of(storage, 3)
    del storage.objects[f"{PREFIX}/1/outputs.pb"]

    while (delivery := delivered(outputs, what)).waits:
        pass
    assert delivery.problem == f"element 1 ended well and wrote no {PREFIX}/1/outputs.pb"


def test_outputs_of_an_earlier_attempt_are_brought_here(storage: FakeStorage, outputs: Outputs) -> None:
    list_of(storage, 2, EARLIER)
    what = expected(outputs, batch_tasks.squares, "list")
    while delivered(outputs, what, source=EARLIER, deliver_to=PREFIX).waits:
        pass
    assert values(storage, batch_tasks.squares) == [0, 1]

    storage.objects = {f"{EARLIER}/outputs.pb": number(7), f"{EARLIER}/deck.html": b"deck"}
    what = expected(outputs, batch_tasks.square, "function")
    assert delivered(outputs, what, source=EARLIER, deliver_to=PREFIX) == Delivery()
    assert values(storage, batch_tasks.square) == 7
    assert storage.objects[f"{PREFIX}/deck.html"] == b"deck"


def test_the_types_of_an_adopted_run_s_outputs_are_beside_the_attempt_that_adopts_it(
    storage: FakeStorage, outputs: Outputs
) -> None:
    what = expected(outputs, batch_tasks.squares, "list")
    storage.objects[f"{PREFIX}/aws-batch/interface.pb"] = base64.b64decode(what.types or "")
    away = what.model_copy(update={"types": None})
    list_of(storage, 2, EARLIER)
    while (delivery := delivered(outputs, away, source=EARLIER, deliver_to=PREFIX)).waits:
        pass
    assert delivery == Delivery()
    assert values(storage, batch_tasks.squares) == [0, 1]


@pytest.mark.parametrize("place", ["s3://raw/fraud/development/x", "s3://raw/churn/production/x"])
def test_a_plan_that_names_another_project_s_place_gets_nothing_from_there(
    storage: FakeStorage, outputs: Outputs, place: str
) -> None:
    what = expected(outputs, batch_tasks.one_file, "container")
    what = what.model_copy(update={"below": "s3://raw/fraud/development/"})
    list_of(storage, 1, environment={OUTPUTS_VARIABLE: place})
    storage.objects[f"{place}/file"] = b"secret"

    delivery = delivered(outputs, what)
    if place.startswith(what.below):
        assert delivery.problem is None
        assert delivery.outputs is not None
        assert delivery.outputs.to_flyte_idl().literals["file"].scalar.blob.uri == f"{place}/file"
    else:
        assert delivery.outputs is None
        assert delivery.problem is not None
        assert delivery.problem.startswith(f"its outputs are to be in {place}, and the connector's settings have")


def test_a_function_that_wrote_nothing_fails(outputs: Outputs) -> None:
    problem = delivered(outputs, expected(outputs, batch_tasks.square, "function")).problem
    assert problem is not None
    assert "does its image have an ENTRYPOINT" in problem


def test_what_passes_is_waited_for_and_what_stays_is_told(storage: FakeStorage, outputs: Outputs) -> None:
    what = expected(outputs, batch_tasks.squares, "list")
    list_of(storage, 1)
    storage.error = CallError("GetObject", "SlowDown", "slower", "throttled")
    assert delivered(outputs, what).waits == "it is done; its outputs wait for S3: GetObject: SlowDown: slower"

    storage.error = CallError("GetObject", "AccessDenied", "no", "forbidden")
    assert delivered(outputs, what).problem == (
        "its outputs cannot be read: GetObject: AccessDenied: no; the connector's role needs to read and write "
        + PREFIX
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("1/outputs.pb", "it cannot be read as a LiteralMap"),
        ("aws-batch/interface.pb", "it cannot be read as a VariableMap"),
        ("aws-batch/plan.json", "is none of this connector's"),
    ],
)
def test_what_is_none_of_flyte_s_is_named(storage: FakeStorage, outputs: Outputs, name: str, told: str) -> None:
    what = expected(outputs, batch_tasks.squares, "list")
    list_of(storage, 3)
    if name.endswith("interface.pb"):
        what = what.model_copy(update={"types": None})
    storage.objects[f"{PREFIX}/{name}"] = b"<html>"

    while (delivery := delivered(outputs, what)).waits:
        pass
    assert delivery.problem is not None
    assert delivery.problem.startswith(f"{PREFIX}/{name} is none of ")
    assert told in delivery.problem


def test_outputs_that_are_too_large_fail_with_the_remedy(storage: FakeStorage, outputs: Outputs) -> None:
    what = expected(outputs, batch_tasks.squares, "list")
    list_of(storage, 3)
    storage.large = f"{PREFIX}/1/outputs.pb"
    while (delivery := delivered(outputs, what)).waits:
        pass
    said = "has 99 bytes, and 10 are read at most; give what is large as a file"
    assert delivery.problem == f"its outputs are too large: {PREFIX}/1/outputs.pb {said}"


def test_so_does_a_list_whose_elements_are_too_large_together(
    storage: FakeStorage, outputs: Outputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flytekit_aws_batch.outputs.MOST_BYTES_OF_A_LIST", sum(len(number(each)) for each in range(9)))
    what = expected(outputs, batch_tasks.squares, "list")
    for size, fits in ((9, True), (10, False)):
        storage.objects = {}
        list_of(storage, size)
        while (delivery := delivered(outputs, what)).waits:
            pass
        assert (delivery.problem is None) is fits
    assert delivery.problem is not None
    assert delivery.problem.startswith("its elements give more than the ")
    assert delivery.problem.endswith(" bytes that a list has at most; give what is large as a file")


def test_many_lists_wait_without_a_thread_of_the_event_loop_s(storage: FakeStorage, outputs: Outputs) -> None:
    what = expected(outputs, batch_tasks.squares, "list")
    prefixes = [f"{PREFIX}{number}" for number in range(20)]
    for prefix in prefixes:
        list_of(storage, 1, prefix)
    storage.flows.clear()

    async def all_at_once() -> list[Delivery]:
        # Whoever takes a default thread while it waits has this one refused.
        loop = asyncio.get_running_loop()
        loop.set_default_executor(_NoThreads())
        progress = [Progress(phase=Phase.SUCCEEDED, message="", output_prefix=prefix) for prefix in prefixes]
        return await asyncio.gather(
            *(
                outputs.deliver(what, Handle(output_prefix=each.output_prefix, name="n", attempt=0), each)
                for each in progress
            )
        )

    try:
        assert {each.waits for each in asyncio.run(all_at_once())} == {"gathering outputs 0 of 1"}
    finally:
        storage.flows.set()


def test_large_types_are_put_away_and_kept_where_that_fails(storage: FakeStorage, outputs: Outputs) -> None:
    away = expected(outputs, batch_tasks.many_values, "container")
    assert away.types is None
    assert f"{PREFIX}/aws-batch/interface.pb" in storage.objects
    # With it, looking at the account and the submission, a create has 30 s.
    assert storage.patience == 5

    storage.error = CallError("PutObject", "SlowDown", "slower", "throttled")
    kept = expected(outputs, batch_tasks.many_values, "container")
    assert kept.types
