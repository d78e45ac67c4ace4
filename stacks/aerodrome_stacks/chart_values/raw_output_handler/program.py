"""Tell flyteadmin where the tasks of each project and domain write what they hand to each other, and as whom.

The prefix holds for pods and jobs. The role is what jobs on AWS Batch take, which get none otherwise; a pod has that of
its service account, whatever stands here.

flyteadmin keeps both in its database, as the workflow execution config of a project and domain, and offers no file for
it. So this asks for what is there, and puts what is missing: run again, it changes nothing. What else an operator has
set in the same config stays.

It is handed to the pod as text, and has Python's standard library only. The paths and fields are those of flyteidl
v1.16.8 (``service/admin.proto``, ``admin/project_domain_attributes.proto``, ``core/security.proto``), in the snake case
in which flyteadmin answers.
"""

import base64
import json
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urljoin
from urllib.request import Request, urlopen

Json = dict[str, Any]

_TIMEOUT = 30  # seconds for one answer


def main(arguments: list[str]) -> int:
    """Run with the file that says what to set, and return the exit status.

    Args:
        arguments: The path of a JSON file: ``admin``, the URL of flyteadmin; ``prefixes``, a list of ``project``,
            ``domain``, ``prefix`` and ``role``; with sign-on also ``client_id`` and ``client_secret_file``.
    """
    wanted = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    try:
        headers = _sign_on(wanted)
    except (OSError, ValueError) as error:
        print(f"no token for flyteadmin: {_why(error)}")  # noqa: T201 - the pod's log
        return 1
    failed = 0
    for entry in wanted["prefixes"]:
        name = f"{entry['project']} in {entry['domain']}"
        try:
            changed = _set(wanted["admin"], headers, **entry)
        except (OSError, ValueError) as error:
            failed += 1
            print(f"{name}: not set: {_why(error)}")  # noqa: T201 - the pod's log
        else:
            print(f"{name}: {'set to' if changed else 'is'} {entry['prefix']} as {entry['role']}")  # noqa: T201 - the pod's log
    return 1 if failed else 0


def _set(admin: str, headers: dict[str, str], *, project: str, domain: str, prefix: str, role: str) -> bool:
    path = f"/api/v1/project_domain_attributes/{quote(project, safe='')}/{quote(domain, safe='')}"
    config = _current_config(admin, headers, path, project, domain)
    current = (config.get("raw_output_data_config") or {}).get("output_location_prefix")
    context = config.get("security_context") or {}
    identity = context.get("run_as") or {}
    if (current, identity.get("iam_role")) == (prefix, role):
        return False
    # flyteadmin replaces the whole config.
    config["raw_output_data_config"] = {"output_location_prefix": prefix}
    config["security_context"] = {**context, "run_as": {**identity, "iam_role": role}}
    attributes = {
        "project": project,
        "domain": domain,
        "matching_attributes": {"workflow_execution_config": config},
    }
    _call(urljoin(admin, path), headers, method="PUT", body={"attributes": attributes})
    return True


def _current_config(admin: str, headers: dict[str, str], path: str, project: str, domain: str) -> Json:
    try:
        answer = _call(urljoin(admin, f"{path}?resource_type=WORKFLOW_EXECUTION_CONFIG"), headers)
    except HTTPError as error:
        if error.code == HTTPStatus.NOT_FOUND:
            return {}
        raise
    attributes = answer.get("attributes") or {}
    # Where a project has none for a domain, flyteadmin answers with those that hold for the whole project.
    if (attributes.get("project"), attributes.get("domain")) != (project, domain):
        return {}
    config: Json = (attributes.get("matching_attributes") or {}).get("workflow_execution_config") or {}
    return config


def _sign_on(wanted: Json) -> dict[str, str]:
    """What flytepropeller does: flyteadmin says where tokens come from, and the client's secret gets one."""
    if "client_id" not in wanted:
        return {}
    admin = wanted["admin"]
    token_url = _call(urljoin(admin, "/.well-known/oauth-authorization-server"), {})["token_endpoint"]
    client = _call(urljoin(admin, "/config/v1/flyte_client"), {})
    form = {"grant_type": "client_credentials", "scope": " ".join(client.get("scopes") or [])}
    if client.get("audience"):
        form["audience"] = client["audience"]
    secret = Path(wanted["client_secret_file"]).read_text(encoding="utf-8").strip()
    # RFC 6749, section 2.3.1: both are form-encoded before they are joined.
    pair = f"{quote(wanted['client_id'], safe='')}:{quote(secret, safe='')}"
    request = Request(  # noqa: S310 - the scheme is that of flyteadmin's own configuration
        token_url,
        data=urlencode({name: value for name, value in form.items() if value}).encode(),
        headers={"Accept": "application/json", "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"},
    )
    token = _answer(request)["access_token"]
    return {client.get("authorization_metadata_key") or "Authorization": f"Bearer {token}"}


def _call(url: str, headers: dict[str, str], *, method: str = "GET", body: Json | None = None) -> Json:
    request = Request(  # noqa: S310 - the scheme is that of the configuration
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Accept": "application/json", "Content-Type": "application/json", **headers},
    )
    return _answer(request)


def _answer(request: Request) -> Json:
    with urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310 - see the two callers
        answer = json.load(response)
    if not isinstance(answer, dict):
        raise ValueError(f"{request.full_url} answered with {type(answer).__name__}, not with an object")  # noqa: TRY004 - bad input, not a bad call
    return answer


def _why(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"{error.url} answered {error.code}: {error.read(500).decode(errors='replace')}"
    return str(error.reason) if isinstance(error, URLError) else str(error) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
