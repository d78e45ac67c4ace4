"""AWS Batch: the service whose jobs really run, in MiniStack's place, and its CloudFormation types."""

import asyncio
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aerodrome_local.batch_service import cloudformation, event_target, http, step_functions
from aerodrome_local.batch_service.backend import AwsBackend
from aerodrome_local.batch_service.model import Scope
from aerodrome_local.batch_service.service import BatchService
from aerodrome_local.batch_service.settings import Settings
from aerodrome_local.processes import INSTANCE_VARIABLE
from aerodrome_local.resources import step_functions_private
from aerodrome_local.runtime import Runtime, current_account, current_region


def install(runtime: Runtime) -> None:
    """Answer the Batch API, run its jobs, and register its CloudFormation types."""

    def emit(scope: Scope, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str]) -> None:
        runtime.emit_event(scope.account, "aws.batch", detail_type, detail, resources, region=scope.region)

    settings = Settings.from_environment(
        os.environ,
        directory=runtime.state_file("batch"),
        endpoint=runtime.endpoint,
        extra_environment={INSTANCE_VARIABLE: str(runtime.state_dir)},
    )
    service = BatchService(settings, AwsBackend(runtime.client, emit))

    # Threads of its own: the event loop's may all be taken by Lambda functions that wait for an answer of Batch.
    threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="batch-api")

    async def answer(
        method: str, path: str, _headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> http.Response:
        scope = Scope(current_account(), current_region())
        handle = functools.partial(http.handle, service, scope, method, path, query=query, body=body)
        return await asyncio.get_running_loop().run_in_executor(threads, handle)

    def run_task(resource: str, parameters: dict[str, Any], given_up: Callable[[], bool]) -> Any:  # noqa: ANN401 - any JSON value
        try:
            scope = Scope(current_account(), current_region())
            return step_functions.run_task(service, resource, parameters, scope, given_up)
        except step_functions.TaskError as error:
            raise step_functions_private.task_failure(error.error, error.cause) from error

    runtime.route("batch", answer)
    runtime.view("batch", service.traffic.view)
    runtime.action("batch", service.traffic.control)
    runtime.event_target("batch", functools.partial(event_target.submit, service))
    step_functions_private.add_integration(step_functions.RESOURCE, run_task)
    runtime.on_start(service.start)
    runtime.on_stop(service.stop)
    _register_types(runtime)


def _register_types(runtime: Runtime) -> None:
    for kind in (
        cloudformation.ComputeEnvironmentType,
        cloudformation.JobQueueType,
        cloudformation.JobDefinitionType,
        cloudformation.SchedulingPolicyType,
    ):
        handlers = kind(lambda: runtime.client("batch"), runtime.physical_name)
        runtime.resource(
            kind.type_name,
            create=handlers.create,
            update=handlers.update,
            delete=handlers.delete,
            replaces=kind.replaces,
            tags=("Tags", "map"),
        )
