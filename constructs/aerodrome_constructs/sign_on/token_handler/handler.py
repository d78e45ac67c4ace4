"""Complete tokens: with an audience, the scopes of our API and the groups of the person.

Cognito's events and answers: Developer Guide, "Pre token generation Lambda trigger", version 3.
"""

import os
from typing import Any

from aerodrome_constructs.sign_on.token_handler import API_VARIABLE

Json = dict[str, Any]


def handle(event: Json, _context: object) -> Json:
    """Answer Cognito's question what to put into a token.

    - ``aud`` of an access token is the client that asked, the one value that Cognito allows there. An ID token has it.
    - ``scp`` of an access token are the scopes of our API by their own names, in the list that Flyte reads.
    - ``groups`` and ``email`` are the person's, where there is one. An ID token has ``email``.

    Args:
        event: What Cognito knows of the person, the client and what it asked for.
    """
    request = event["request"]
    api = f"{os.environ[API_VARIABLE]}/"
    asked: list[str] = request.get("scopes") or []
    access: Json = {
        "aud": event["callerContext"]["clientId"],
        "scp": [scope.removeprefix(api) for scope in asked if scope.startswith(api)],
    }
    identity: Json = {}
    email = (request.get("userAttributes") or {}).get("email")
    if email:
        access["email"] = email
        groups = (request.get("groupConfiguration") or {}).get("groupsToOverride") or []
        access["groups"] = identity["groups"] = groups
    event["response"] = {
        "claimsAndScopeOverrideDetails": {
            "accessTokenGeneration": {"claimsToAddOrOverride": access},
            "idTokenGeneration": {"claimsToAddOrOverride": identity},
        }
    }
    return event
