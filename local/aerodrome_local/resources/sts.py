"""AWS STS: EventBridge is told of each role that is taken, as CloudTrail tells it."""

import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from aerodrome_local.ministack_private import SERVICE_HANDLERS
from aerodrome_local.runtime import Response, Runtime, current_account, current_region

# Members of CloudTrail's requestParameters, which spells them with a small letter, by their name in the request.
_PARAMETERS = ("RoleArn", "RoleSessionName", "SourceIdentity", "ExternalId")


def install(runtime: Runtime) -> None:
    """Listen to the API."""
    answer = SERVICE_HANDLERS["sts"]

    async def answer_and_tell(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Response:
        response: Response = await answer(method, path, headers, body, query)
        request = {name: values[0] for name, values in {**query, **parse_qs(body.decode())}.items()}
        if response[0] == 200 and request.get("Action") == "AssumeRole":  # noqa: PLR2004 - HTTP
            account = current_account()
            event = _event(account, current_region(), request, headers)
            runtime.emit_event(account, "aws.sts", "AWS API Call via CloudTrail", event, [request["RoleArn"]])
        return response

    runtime.route("sts", answer_and_tell)


def _event(account: str, region: str, request: dict[str, str], headers: dict[str, str]) -> dict[str, Any]:
    """What CloudTrail writes: docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html."""
    return {
        "eventVersion": "1.08",
        "userIdentity": {"type": "Root", "arn": f"arn:aws:iam::{account}:root", "accountId": account},
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "sts.amazonaws.com",
        "eventName": "AssumeRole",
        "awsRegion": region,
        "sourceIPAddress": "127.0.0.1",
        "userAgent": headers.get("user-agent", ""),
        "requestParameters": {name[:1].lower() + name[1:]: request[name] for name in _PARAMETERS if name in request},
        "eventID": str(uuid.uuid4()),
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
