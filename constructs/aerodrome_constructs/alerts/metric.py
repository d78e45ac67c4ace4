"""What alarms are about: metrics of CloudWatch."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import aws_cloudwatch as cloudwatch


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric, and what becomes of its values.

    Attributes:
        namespace: Its namespace, such as ``AWS/RDS``.
        name: Its name.
        dimensions: Which of the metrics of that name, by the name of the dimension.
        statistic: What becomes of the values of a period.
    """

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    statistic: str = "Sum"

    def dimension_properties(self) -> list[cloudwatch.CfnAlarm.DimensionProperty]:
        """The dimensions as an alarm has them."""
        return [
            cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value) for name, value in self.dimensions.items()
        ]


def function_errors(function: str) -> Metric:
    """How often a Lambda function failed.

    Args:
        function: The function's name.
    """
    return Metric("AWS/Lambda", "Errors", {"FunctionName": function})


def messages_in(queue: str) -> Metric:
    """How many messages are in an SQS queue and nobody has taken.

    Args:
        queue: The queue's name.
    """
    return Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": queue}, "Maximum")
