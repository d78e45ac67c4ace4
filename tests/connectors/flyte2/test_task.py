"""What the author of a task hears before it is deployed, and what travels with it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import flyte
import pytest
from flyte._internal.runtime.task_serde import get_proto_task  # what `flyte deploy` makes of a task
from flyte.models import SerializationContext
from google.protobuf.json_format import MessageToDict

from flytekit_aws_batch.core.spec import SecretVariable
from flytekit_aws_batch.flyte2 import AWSBatch, AWSBatchTask

ROOT = Path(__file__).parent


def travels(environment: flyte.TaskEnvironment, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - as Flyte takes them
    """The template, as JSON, of a task of an environment."""

    @environment.task(**options)
    def trained(epochs: int) -> float:
        return 1 / epochs

    assert isinstance(trained, AWSBatchTask)
    context = SerializationContext(version="1", root_dir=ROOT)
    return dict(MessageToDict(get_proto_task(trained, context)))


def environment(batch: AWSBatch, **fields: Any) -> flyte.TaskEnvironment:  # noqa: ANN401 - as Flyte takes them
    return flyte.TaskEnvironment(name="training", image="example/training:1", plugin_config=batch, **fields)


def test_the_settings_travel_below_a_key_of_their_own() -> None:
    batch = AWSBatch(queue="gpu", secrets={"TOKEN": SecretVariable(secret="token")})
    template = travels(environment(batch), retries=3, timeout=timedelta(hours=1))

    assert template["type"] == "aws-batch-job"
    assert template["custom"] == {"awsBatch": {"queue": "gpu", "secrets": {"TOKEN": {"secret": "token"}}}}
    assert template["metadata"]["retries"] == {"retries": 3}
    assert template["container"]["args"][0] == "a0"


def test_a_task_without_settings_has_the_key_too() -> None:
    # The backend cannot create a connector's task that has no `custom`.
    assert travels(environment(AWSBatch()))["custom"] == {"awsBatch": {}}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"secrets": flyte.Secret(key="token", as_env_var="TOKEN")}, "use AWSBatch(secrets=...)"),
        ({"service_account": "trainer"}, "service_account='trainer' is not carried to AWS Batch"),
        ({"pod_template": "big-pods"}, "pod_template='big-pods' is not carried to AWS Batch: a job is no pod"),
        ({"resources": flyte.Resources(gpu="A100:2")}, "resources.gpu='A100:2' is not carried to AWS Batch"),
        ({"resources": flyte.Resources(disk="40Gi")}, "use AWSBatch(ephemeral_gib=...)"),
        ({"resources": flyte.Resources(shm="1Gi")}, "use AWSBatch(shared_memory_mib=...)"),
        ({"plugin_config": AWSBatch(nodes=4)}, "nodes=4 is not carried to AWS Batch"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_a_job_would_not_have_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"^training\.trained: ") as refused:
        travels(environment(**{"batch": fields.pop("plugin_config", AWSBatch()), **fields}))

    assert said in str(refused.value)


def test_what_batch_does_not_have_is_refused() -> None:
    batch = AWSBatch(queue="fargate")

    with pytest.raises(ValueError, match=r"^training\.trained: vcpus=3: Fargate has 0\.25, "):
        travels(environment(batch, resources=flyte.Resources(cpu=3, memory="20Gi")))


def test_an_unknown_setting_is_refused_where_it_is_written() -> None:
    with pytest.raises(ValueError, match="colour"):
        AWSBatch(colour="blue")  # type: ignore[call-arg]  # is tried
