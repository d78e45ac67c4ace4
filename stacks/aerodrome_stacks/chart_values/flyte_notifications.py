"""Values of ``charts/flyte-core`` about whom Flyte tells of executions.

Read in Flyte v1.16.8, ``flyteadmin/pkg/async``. What is told, and what is lost, is in
``docs/how-to/flyte-notifications.md``.
"""

from aerodrome_constructs.helm import Value
from aerodrome_stacks.chart_values.front_door import host
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.notifications_stack import EmailPorts, NotificationsPorts

# flyteadmin fills in what is in braces. HTML: it sends the body as nothing else.
_SUBJECT = "Flyte: {{ project }}/{{ domain }}/{{ launch_plan.name }} has {{ phase }}"
_BODY = (
    "<p>The execution {{{{ name }}}} of {{{{ workflow.name }}}} in project {{{{ project }}}}, domain {{{{ domain }}}}, "
    'has {{{{ phase }}}}.</p><p><a href="{execution}">{execution}</a></p><p>{{{{ error }}}}</p>'
)
_EXECUTION = "https://{host}/console/projects/{{{{ project }}}}/domains/{{{{ domain }}}}/executions/{{{{ name }}}}"


def notifications(environment: Environment, ports: NotificationsPorts | None) -> dict[str, Value]:
    """Where flyteadmin publishes, and what an email says.

    With topics or a queue that are not there, flyteadmin does not start: their stack comes before Flyte's.

    Args:
        environment: The environment.
        ports: The topics and the queue. None: nobody is told, as the chart has it.
    """
    values: dict[str, Value] = {}
    if ports and ports.emails:
        values["workflow_notifications"] = {
            "enabled": True,
            "config": {"notifications": _emails(environment, ports.emails)},
        }
    if ports and ports.events_topic_arn:
        values["external_events"] = {
            "enable": True,
            "type": "aws",
            # The chart's default is us-east-2, and a topic of the vendor's.
            "aws": {"region": environment.region},
            "eventsPublisher": {"topicName": ports.events_topic_arn, "eventTypes": ["all"]},
        }
    return values


def _emails(environment: Environment, ports: EmailPorts) -> dict[str, Value]:
    return {
        "type": "aws",
        "aws": {"region": environment.region},
        "publisher": {"topicName": ports.topic_arn},
        "processor": {"queueName": ports.queue_name, "accountId": environment.account},
        "emailer": {
            "sender": ports.sender,
            "subject": _SUBJECT,
            "body": _BODY.format(execution=_EXECUTION.format(host=host(environment, "flyte"))),
        },
    }
