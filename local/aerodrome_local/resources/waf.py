"""AWS WAF: the log of a web ACL, which is kept and given back. No request is ever inspected, so nothing is logged."""

from typing import Any

from botocore.exceptions import ClientError

from aerodrome_local.json_service import Json, Records, ServiceError, serve_more
from aerodrome_local.resources.conversion import pick
from aerodrome_local.runtime import Created, Properties, Runtime

_UNKNOWN = "WAFNonexistentItemException"
_LOGGING = ("ResourceArn", "LogDestinationConfigs", "RedactedFields", "LoggingFilter")
# https://docs.aws.amazon.com/waf/latest/developerguide/logging-cw-logs.html
_LOG_GROUPS = "aws-waf-logs-"


def install(runtime: Runtime) -> None:
    """Answer the part of AWS WAF's API that MiniStack lacks, and register the type that uses it."""
    logging = _Logging(runtime)
    serve_more(
        runtime,
        "wafv2",
        {
            "DeleteLoggingConfiguration": logging.delete,
            "GetLoggingConfiguration": logging.get,
            "PutLoggingConfiguration": logging.put,
        },
    )
    types = _Types(runtime)
    runtime.resource(
        "AWS::WAFv2::LoggingConfiguration",
        create=types.create,
        update=types.update,
        delete=types.delete,
        replaces=("ResourceArn",),
    )


class _Logging:
    def __init__(self, runtime: Runtime) -> None:
        self._records = Records(runtime, "waf-logging", unknown=_UNKNOWN)

    def put(self, request: Json) -> Json:
        configuration = request["LoggingConfiguration"]
        for destination in configuration["LogDestinationConfigs"]:
            kind, _, name = destination.partition(":log-group:")
            if not kind.startswith("arn:aws:logs:") or not name.startswith(_LOG_GROUPS) or name.endswith(":*"):
                # AWS's own words.
                raise ServiceError(
                    "WAFInvalidParameterException",
                    f"The ARN isn't valid. A valid ARN begins with arn: "
                    f"and includes other information separated by colons or slashes.: {destination}",
                )
        self._records.put(configuration["ResourceArn"], configuration)
        return {"LoggingConfiguration": configuration}

    def get(self, request: Json) -> Json:
        return {"LoggingConfiguration": self._records.find(request["ResourceArn"])}

    def delete(self, request: Json) -> Json:
        self._records.delete(request["ResourceArn"])
        return {}


class _Types:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @property
    def _client(self) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
        return self._runtime.client("wafv2")

    def create(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        self._client.put_logging_configuration(LoggingConfiguration=pick(properties, *_LOGGING))
        return properties["ResourceArn"], {}

    def update(self, _arn: str, _old: Properties, new: Properties, stack_name: str) -> Created:
        return self.create("", new, stack_name)

    def delete(self, arn: str, _properties: Properties) -> None:
        try:
            self._client.delete_logging_configuration(ResourceArn=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] != _UNKNOWN:
                raise
