"""Calls of AWS's API: at a pace, with retries, and errors sorted by what follows of them."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Mapping
from typing import Any

import botocore.session
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import NoRegionError
from botocore.response import StreamingBody

from flytekit_aws_batch.core.call_errors import CallError, TooLargeError, call_error
from flytekit_aws_batch.core.clock import Clock
from flytekit_aws_batch.core.metrics import Metrics, process_metrics
from flytekit_aws_batch.core.pace import Gate, Pace
from flytekit_aws_batch.core.settings import VARIABLE, Settings, SettingsError

__all__ = ["Aws", "CallError"]

_THREADS = 32
_CONNECT_SECONDS = 3
# With the wait for a place in the line and the connecting it stays below the lease of a submission.
_READ_SECONDS = 10
# SQS holds a question for 20 s when nothing has happened.
_READ_SECONDS_OF = {"sqs": 30}

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0

_NO_REGION = (
    f"region is missing, and AWS's own settings have none; set region in the file that {VARIABLE} names, or "
    "AWS_DEFAULT_REGION"
)

# What the limits of the settings mean. S3 and SQS take thousands of calls a second, and have none.
_GROUPS = {("batch", "submit_job"): "submits", ("batch", "describe_jobs"): "describes"}
_UNLIMITED = frozenset({"s3", "sqs"})
# Of submissions, which others need, too, no second may see many more than the limit: when Batch stands still, so many
# have reached it together.
_SUBMITS_AT_ONCE = 8
_SUBMITS_OVER = 1.25


class Aws:
    """The connector's way to AWS.

    It belongs to no event loop: calls run in threads of its own, so that one loop may stand still, or be closed, while
    another calls.

    Args:
        settings: The region, the limits and the patience.
        session: botocore's, with credentials. Default: one that finds them as all of AWS's tools do.
        metrics: What it counts. Default: that of the process.
        clock: Time and chance. Default: the machine's.
        executor: What runs the calls. Default: threads of its own.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        session: botocore.session.Session | None = None,
        metrics: Metrics | None = None,
        clock: Clock | None = None,
        executor: concurrent.futures.Executor | None = None,
    ) -> None:
        self.settings = settings
        self.metrics = metrics or process_metrics()
        self.clock = clock or Clock()
        limits = settings.limits
        # No burst where the account has a limit for each second, which others may use, too.
        self._paces = {
            "submits": Pace(limits.submits, 1, self.clock),
            "describes": Pace(limits.describes, 1, self.clock),
            "others": Pace(limits.others, max(1, int(limits.others)), self.clock),
        }
        self._gate = Gate(limits.submits * _SUBMITS_OVER, self.clock)
        self._session = session or botocore.session.get_session()
        self._sent_now = threading.local()
        # The last moment before it leaves: to sign it may have taken a renewal of credentials, which STS may hold up.
        self._session.register("before-send.batch.SubmitJob", self._before_send)
        self._clients: dict[str, BaseClient] = {}
        self._making = threading.Lock()
        self._executor = executor or concurrent.futures.ThreadPoolExecutor(_THREADS, "flytekit-aws-batch")
        # In threads of their own: while Batch does not answer them, questions after jobs are asked all the same.
        self._submitting = executor or concurrent.futures.ThreadPoolExecutor(_SUBMITS_AT_ONCE, "flytekit-aws-submit")

    async def call(
        self,
        service: str,
        operation: str,
        *,
        once: bool = False,
        patience_seconds: float | None = None,
        most_bytes: int | None = None,
        **parameters: Any,  # noqa: ANN401 - botocore checks them against its model of the service
    ) -> dict[str, Any]:
        """Call an operation; what passes is tried again, after pauses with full jitter.

        Args:
            service: As botocore names it, such as ``batch``.
            operation: In snake_case, such as ``submit_job``.
            once: Whether to try only once, as what must not happen twice needs.
            patience_seconds: How long to go on; the last try may take 13 s longer. Default: that of the settings.
            most_bytes: How large a ``Body`` may be: a larger one is not read. None: as large as it is.
            parameters: The request.

        Returns:
            The answer; a ``Body`` is read already, and ``bytes``.

        Raises:
            CallError: It was refused, or did not get through in time.
            TooLargeError: There is more of it.
            SettingsError: Nobody says in which region.
            ParamValidationError: The request is none that the service knows: a mistake of the connector.
        """
        patience = self.settings.patience_seconds if patience_seconds is None else patience_seconds
        until = self.clock.now() + patience
        tries = 0
        while True:
            await self._turn(service, operation, until)
            loop, threads = asyncio.get_running_loop(), self._threads(service, operation)
            try:
                return await loop.run_in_executor(
                    threads, lambda: self.attempt(service, operation, parameters, most_bytes=most_bytes)
                )
            except CallError as error:
                pause = self.clock.chance() * min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**tries)
                if once or not error.passes or self.clock.now() + pause > until:
                    raise
            tries += 1
            self.metrics.retries.labels(_title(operation)).inc()
            await self.clock.pause(pause)

    async def _turn(self, service: str, operation: str, until: float) -> None:
        wait = self.reserve(service, operation, until - self.clock.now())
        if wait is None:
            message = "too many calls wait already for the connector's own limit (limits in its settings)"
            raise CallError(_title(operation), "OwnLimit", message, "throttled")
        if wait:
            await self.clock.pause(wait)

    def reserve(self, service: str, operation: str, most_seconds: float) -> float | None:
        """Take a place in the line for an operation that is then tried with :meth:`attempt` or :meth:`submit`.

        Returns:
            In how many seconds it may be tried. None: not within ``most_seconds``, and no place was taken.
        """
        if service in _UNLIMITED:
            return 0.0
        group = _GROUPS.get((service, operation), "others")
        wait = self._paces[group].reserve(most_seconds)
        if wait is not None:
            self.metrics.wait_seconds.labels(group).observe(wait)
        return wait

    def submit(
        self, service: str, operation: str, parameters: Mapping[str, Any], *, not_after: float | None = None
    ) -> concurrent.futures.Future[dict[str, Any]]:
        """:meth:`attempt` in a thread, which goes on whatever becomes of the event loop that asked for it."""
        return self._threads(service, operation).submit(self.attempt, service, operation, parameters, not_after)

    def _threads(self, service: str, operation: str) -> concurrent.futures.Executor:
        return self._submitting if _is_submission(service, operation) else self._executor

    def attempt(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        not_after: float | None = None,
        most_bytes: int | None = None,
    ) -> dict[str, Any]:
        """Call an operation once, in the calling thread, without regard to limits.

        Args:
            service: As botocore names it.
            operation: In snake_case.
            parameters: The request.
            not_after: The moment after which a submission must not be sent any more, should threads have been busy, or
                STS, until then: it is ``throttled`` then. None: any.
            most_bytes: As of :meth:`call`.

        Raises:
            CallError: It came to nothing.
        """
        name, result, started = _title(operation), "bug", self.clock.now()
        try:
            if _is_submission(service, operation):
                self._gate.enter()
            self._in_time(name, not_after)
            self._sent_now.not_after = not_after
            answer = getattr(self._client(service), operation)(**parameters)
            _read_body(name, parameters, answer, most_bytes)
            result = "ok"
        except Exception as error:
            sorted_error = error if isinstance(error, CallError) else call_error(name, error)
            if sorted_error is None:
                raise
            result = sorted_error.kind
            raise sorted_error from error
        else:
            read: dict[str, Any] = answer
            return read
        finally:
            self.metrics.calls.labels(name, result).inc()
            self.metrics.call_seconds.labels(name).observe(self.clock.now() - started)

    def _in_time(self, name: str, not_after: float | None) -> None:
        if not_after is not None and self.clock.now() > not_after:
            raise CallError(name, "TooLate", "what came before took so long that its time has passed", "throttled")

    def _before_send(self, **_: object) -> None:
        self._in_time("SubmitJob", getattr(self._sent_now, "not_after", None))

    def _client(self, service: str) -> BaseClient:
        # Clients may be used by many threads at once, but not made (botocore's sessions are not thread-safe).
        with self._making:
            if service not in self._clients:
                config = Config(
                    connect_timeout=_CONNECT_SECONDS,
                    read_timeout=_READ_SECONDS_OF.get(service, _READ_SECONDS),
                    # Batch's is for both kinds of threads.
                    max_pool_connections=_THREADS + _SUBMITS_AT_ONCE,
                    # Its retries would submit a job twice.
                    retries={"total_max_attempts": 1},
                    tcp_keepalive=True,
                    user_agent_extra="flytekit-aws-batch",
                )
                try:
                    self._clients[service] = self._session.create_client(
                        service, region_name=self.settings.region, config=config
                    )
                except NoRegionError:
                    raise SettingsError(_NO_REGION) from None
            return self._clients[service]

    @property
    def region(self) -> str:
        """The region that calls go to."""
        return str(self._client("batch").meta.region_name)

    @property
    def partition(self) -> str:
        """The partition of the region: ``aws``, ``aws-us-gov`` or ``aws-cn``."""
        return str(self._client("batch").meta.partition)

    def close(self) -> None:
        """Let go of threads and connections. Calls under way come to their end."""
        self._executor.shutdown(wait=False)
        self._submitting.shutdown(wait=False)
        with self._making:
            clients, self._clients = self._clients, {}
        for client in clients.values():
            client.close()


def see_region(settings: Settings) -> None:
    """See that there is a region, without which no call can be made.

    Raises:
        SettingsError: There is none.
    """
    if settings.region is None and botocore.session.Session().get_config_variable("region") is None:
        raise SettingsError(_NO_REGION)


def _is_submission(service: str, operation: str) -> bool:
    return _GROUPS.get((service, operation)) == "submits"


def _read_body(name: str, parameters: Mapping[str, Any], answer: dict[str, Any], most_bytes: int | None) -> None:
    body, size = answer.get("Body"), answer.get("ContentLength", 0)
    if most_bytes is not None and size > most_bytes:
        if isinstance(body, StreamingBody):
            body.close()
        raise TooLargeError(name, f"s3://{parameters['Bucket']}/{parameters['Key']}", size, most_bytes)
    if isinstance(body, StreamingBody):
        answer["Body"] = body.read()


def _title(operation: str) -> str:
    return "".join(word.capitalize() for word in operation.split("_"))
