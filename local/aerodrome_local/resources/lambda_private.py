"""Every private name of MiniStack that event source mappings build on; see :mod:`aerodrome_local.ministack_private`."""

import time
from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc, sqs

LONGEST_WINDOW_SECONDS = 1.0
"""How much of a batching window is waited out: nobody wants to wait 20 s here for what AWS would gather in them."""

_MOST_MESSAGES = 10_000
"""https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""


Batch = list[dict[str, Any]]


def gather_batches_of_queues(on_event_loop: Callable[[Callable[[], Any]], Any]) -> None:
    """Wait for a mapping's batch to fill or its window to end, and let a batch be as large as the mapping says.

    MiniStack asks for a mapping's concurrency before it receives, and receives ten messages at most. It receives and
    deletes on a thread of its own, and a message that is sent meanwhile may be lost: here the event loop does it, which
    all else that touches queues runs on.
    """
    concurrency = lambda_svc._sqs_esm_concurrency  # noqa: SLF001 - see the module docstring
    delete = sqs._delete_messages_for_esm  # noqa: SLF001 - see the module docstring

    def concurrency_now(
        mapping: dict[str, Any],
        function: dict[str, Any],
        configuration: dict[str, Any],
        queue: dict[str, Any] | None = None,
    ) -> int:
        if queue is not None and not _is_due(mapping, queue):
            return 0
        return int(concurrency(mapping, function, configuration, queue))

    def receive(queue_url: str, most: int) -> Batch:
        def take() -> Batch:
            queue = sqs._get_q(queue_url)  # noqa: SLF001 - see the module docstring
            sqs._expire_retained(queue)  # noqa: SLF001 - see the module docstring
            sqs._dlq_sweep(queue)  # noqa: SLF001 - see the module docstring
            seconds = int(queue["attributes"].get("VisibilityTimeout", "30"))
            batch: Batch = sqs._collect_msgs(queue, min(int(most), _MOST_MESSAGES), seconds)  # noqa: SLF001 - see above
            return batch

        taken: Batch = on_event_loop(take)
        return taken

    def delete_on_loop(queue_url: str, receipt_handles: set[str]) -> None:
        on_event_loop(lambda: delete(queue_url, receipt_handles))

    lambda_svc._sqs_esm_concurrency = concurrency_now  # noqa: SLF001 - see the module docstring
    sqs._receive_messages_for_esm = receive  # noqa: SLF001 - see the module docstring
    sqs._delete_messages_for_esm = delete_on_loop  # noqa: SLF001 - see the module docstring


def _is_due(mapping: dict[str, Any], queue: dict[str, Any]) -> bool:
    window = min(float(mapping.get("MaximumBatchingWindowInSeconds") or 0), LONGEST_WINDOW_SECONDS)
    if not window:
        return True
    now = time.time()
    waiting = [each["visible_at"] for each in list(queue["messages"]) if each["visible_at"] <= now]
    return len(waiting) >= int(mapping.get("BatchSize", 10)) or (bool(waiting) and now - min(waiting) >= window)
