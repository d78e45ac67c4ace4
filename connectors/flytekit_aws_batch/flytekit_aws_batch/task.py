"""A Python function that AWS Batch runs: ``@task(task_config=AWSBatch(...))``."""

import math
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

from flytekit.configuration import SerializationSettings
from flytekit.core.base_task import TaskMetadata
from flytekit.core.context_manager import FlyteContext, FlyteContextManager
from flytekit.core.python_function_task import PythonFunctionTask
from flytekit.core.resources import ResourceSpec
from flytekit.core.task import TaskPlugins
from flytekit.core.type_engine import TypeEngine
from flytekit.models.literals import LiteralMap
from flytekit.models.security import Secret

from flytekit_aws_batch.common import TASK_TYPE
from flytekit_aws_batch.config import COMMAND, AWSBatch, Payload
from flytekit_aws_batch.core.progress import RefusedError
from flytekit_aws_batch.core.quantities import MIB, quantity
from flytekit_aws_batch.core.shapes import spec_problems
from flytekit_aws_batch.core.spec import SecretVariable
from flytekit_aws_batch.local_run import LocalRun
from flytekit_aws_batch.quantities import Wanted

__all__ = ["AWSBatch", "AWSBatchFunctionTask"]

# What flytekit's SecretManager looks a secret up by (flytekit.configuration.SecretsConfig).
_SECRET_VARIABLE = "_FSEC_{}"  # noqa: S105 - a variable's name

# What a task on Fargate has anyway.
_FARGATE_GIB = 20

_REMEDIES = {
    "pod_template": "a job has no pod; say what it needs with AWSBatch(mounts=..., secrets=..., nodes=...)",
    "pod_template_name": "a job has no pod; say what it needs with AWSBatch(mounts=..., secrets=..., nodes=...)",
    "accelerator": (
        'the queue decides which GPU it is; say AWSBatch(queue="gpu"), or a queue\'s name, and gpu in limits'
    ),
    "labels": "a job has no labels; say AWSBatch(tags={...})",
    "annotations": "a job has no annotations; say AWSBatch(tags={...})",
}

_DISPATCHED: ContextVar[object] = ContextVar("dispatched", default=None)

OPTIONS = frozenset({"shared_memory", "secret_requests", *_REMEDIES})
"""Those of flytekit's options that :func:`settled` has something to say of."""


class AWSBatchFunctionTask(LocalRun[AWSBatch], PythonFunctionTask[AWSBatch]):
    """A Python function that AWS Batch runs."""

    def __init__(
        self,
        task_config: AWSBatch,
        task_function: Callable[..., Any],
        **options: Any,  # noqa: ANN401 - flytekit's
    ) -> None:
        name = f"{task_function.__module__}.{task_function.__qualname__}"
        spec, problems = settled(task_config, options)
        problems += _python_problems(options)
        refuse(name, problems)
        super().__init__(
            task_config=spec, task_function=task_function, task_type=TASK_TYPE, **{**options, "shared_memory": None}
        )
        self.payload(self.resources)

    def dispatch_execute(self, ctx: FlyteContext, input_literal_map: LiteralMap) -> Any:  # noqa: ANN401 - flytekit's
        """Run the task with Flyte's values, for Flyte's values."""
        token = _DISPATCHED.set(self)
        try:
            return super().dispatch_execute(ctx, input_literal_map)
        finally:
            _DISPATCHED.reset(token)

    def execute(self, **inputs: Any) -> Any:  # noqa: ANN401 - whatever the author's function takes and gives
        """Run the task with Python's values.

        flytekit's own map_task calls it for each element of a local run, and takes no Flyte values for its list.
        """
        given = super().execute(**inputs)
        if _DISPATCHED.get() is self or not isinstance(given, LiteralMap):
            return given
        context = FlyteContextManager.current_context()
        values = TypeEngine.literal_map_to_kwargs(context, given, self.python_interface.outputs)
        return next(iter(values.values()), None)

    def run_here(self, **inputs: Any) -> Any:  # noqa: ANN401 - whatever the author's function takes and gives
        """Call the function."""
        return self.task_function(**inputs)

    def payload(self, resources: ResourceSpec) -> Payload:
        """What the template says of the job.

        Raises:
            RefusedError: AWS Batch has no such job.
        """
        return payload(self.name, self.task_config, resources, self.metadata)

    def get_custom(self, settings: SerializationSettings) -> dict[str, Any]:
        """What the connector reads."""
        del settings
        return self.payload(self.resources).to_custom()

    def get_default_command(self, settings: SerializationSettings) -> list[str]:
        """What pyflyte-execute does, and knows nodes, and checkpoints of a job that was started anew."""
        return [COMMAND, *super().get_default_command(settings)[1:]]


def payload(name: str, config: AWSBatch, resources: ResourceSpec, metadata: TaskMetadata) -> Payload:
    """What a task's template says of its job.

    Raises:
        RefusedError: AWS Batch has no such job.
    """
    wanted = Wanted(resources)
    spec = config
    problems = list(wanted.problems)
    if wanted.ephemeral_gib is not None and spec.ephemeral_gib is None:
        if spec.queue == "fargate":
            if wanted.ephemeral_gib > _FARGATE_GIB:
                try:
                    spec = _with(spec, ephemeral_gib=wanted.ephemeral_gib)
                except RefusedError as error:
                    problems.append(f"ephemeral_storage: {error}")
        else:
            problems.append(
                "ephemeral_storage: jobs share their instance's disk, and only those on Fargate have one of their own; "
                'leave it out, or say AWSBatch(queue="fargate")'
            )
    if spec.nodes > 1 and metadata.interruptible:
        # https://docs.aws.amazon.com/batch/latest/userguide/mnp-ce.html
        problems.append(
            f"interruptible=True with nodes={spec.nodes}: Batch runs multi-node jobs on no spot instances; "
            "leave interruptible out"
        )
    timeout = metadata.timeout
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    problems += spec_problems(
        spec, wanted.resources, retries=metadata.retries, timeout_seconds=int(seconds) if seconds else None
    )
    refuse(name, problems)
    return Payload(spec=spec, resources=wanted.resources)


def _with(config: AWSBatch, **values: object) -> AWSBatch:
    """The same with other values.

    Raises:
        RefusedError: One of them is none that there is; model_copy would take it.
    """
    return AWSBatch.model_validate({**dict(config), **values})


def refuse(name: str, problems: list[str]) -> None:
    """Refuse a task that has problems, with all of them.

    Raises:
        RefusedError: There are some.
    """
    if problems:
        raise RefusedError("\n".join((f"task {name} cannot run on AWS Batch:", *(f"- {each}" for each in problems))))


def settled(config: object, options: dict[str, Any]) -> tuple[AWSBatch, list[str]]:
    """What is asked for, with what flytekit's own options say of it; and what is wrong with both."""
    problems = list(_pod_problems(options))
    if not isinstance(config, AWSBatch):
        problems.insert(0, f"task_config={_no_config(config)}")
        config = AWSBatch()
    secrets = dict(config.secrets)
    for secret in options.get("secret_requests") or ():
        try:
            variable, value = _secret(secret)
        except ValueError as error:
            problems.append(str(error))
        else:
            secrets.setdefault(variable, value)
    config = _with(config, secrets=secrets)
    shared = options.get("shared_memory")
    if shared is not None and config.shared_memory_mib is None:
        if shared is True:
            problems.append('shared_memory=True: say how much, as in shared_memory="2Gi"')
        else:
            try:
                config = _with(config, shared_memory_mib=math.ceil(quantity(str(shared)) / MIB))
            except ValueError as error:
                problems.append(f"shared_memory={error}")
            except RefusedError as error:
                problems.append(f"shared_memory={shared!r}: {error}")
    return config, problems


def _no_config(given: object) -> str:
    if isinstance(given, type):
        return f"{given.__name__}: that is the class; write task_config={given.__name__}()"
    return f"{given!r}: write task_config=AWSBatch(...)"


def _secret(secret: Secret) -> tuple[str, SecretVariable]:
    said = f"Secret(group={secret.group!r}, key={secret.key!r})"
    if secret.mount_requirement is Secret.MountType.FILE:
        raise ValueError(
            f"{said}: Batch has secrets in environment variables, not in files; leave mount_requirement out"
        )
    if secret.group_version:
        raise ValueError(f"{said}: group_version={secret.group_version!r}: a job gets the secret's current version")
    name, field = (secret.group, secret.key) if secret.group else (secret.key, None)
    if not name:
        raise ValueError(f"{said}: say which: group is the secret's name in Secrets Manager, key a field of its JSON")
    looked_up = "_".join(part.upper() for part in (secret.group, secret.key) if part)
    variable = secret.env_var or _SECRET_VARIABLE.format(looked_up)
    if not variable.isidentifier():
        raise ValueError(f"{said}: no environment variable can be called {variable}; give env_var")
    return variable, SecretVariable(secret=name, field=field)


def _pod_problems(options: dict[str, Any]) -> Iterator[str]:
    for option, remedy in _REMEDIES.items():
        if options.get(option) is not None:
            yield f"{option}: {remedy}"


def _python_problems(options: dict[str, Any]) -> Iterator[str]:
    mode = options.get("execution_mode", PythonFunctionTask.ExecutionBehavior.DEFAULT)
    if mode is not PythonFunctionTask.ExecutionBehavior.DEFAULT:
        yield (
            f"@{mode.name.lower()}: it makes tasks while it runs, which only a pod of Flyte's can do; leave task_config"
            " out there, and call tasks that have it"
        )


TaskPlugins.register_pythontask_plugin(AWSBatch, AWSBatchFunctionTask)
# flytekit looks up what the config is of: of the class, which is there when the parentheses were forgotten, it knows
# nothing, and makes an ordinary task without a word. So that the class, too, comes here, and is refused.
TaskPlugins.register_pythontask_plugin(type(AWSBatch), AWSBatchFunctionTask)
