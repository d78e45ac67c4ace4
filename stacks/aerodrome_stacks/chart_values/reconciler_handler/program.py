"""Tell flyteadmin what the environment says of projects and their domains, and report what could not be told.

flyteadmin keeps in its database, and offers no file for: a project's description and labels, and for a project in a
domain where its tasks write and as whom, how many of them run at once, what a task may ask for, the queue of its jobs
on AWS Batch, and its quota. So this asks for what is there, and puts what differs: run again, it changes nothing. What
else an operator has set in the same attributes stays.

A project or domain that is in Flyte and not in the environment gets a quota of nothing, so that none of its pods
starts; those that run, run on. Its records stay. Whether it is archived, people decide.

It is handed to the pod as text, and has Python's standard library only. The paths and fields are those of flyteidl
v1.16.8 (``service/admin.proto``, ``admin/matchable_resource.proto``, ``admin/project.proto``), in the snake case in
which flyteadmin answers.
"""

import base64
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urljoin
from urllib.request import Request, urlopen

Json = dict[str, Any]
Place = tuple[str, str]
"""A project and a domain."""

# What a call may end in: no connection, a refusal, an answer that is cut short or no JSON.
_ERRORS = (OSError, HTTPException, ValueError)

_TIMEOUT = 30  # seconds for one answer
_PAGE = 100  # projects

# The fields of `MatchingAttributes`, with the resource type that each is asked for by.
_RESOURCE_TYPES = {
    "cluster_resource_attributes": "CLUSTER_RESOURCE",
    "execution_queue_attributes": "EXECUTION_QUEUE",
    "task_resource_attributes": "TASK_RESOURCE",
    "workflow_execution_config": "WORKFLOW_EXECUTION_CONFIG",
}


@dataclass(frozen=True, slots=True)
class Flyteadmin:
    """flyteadmin over HTTP.

    Attributes:
        url: Where it is.
        headers: What each request carries.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def call(self, path: str, *, method: str = "GET", body: Json | None = None) -> Json:
        """Ask for something, or change it."""
        request = Request(  # noqa: S310 - the scheme is that of the configuration
            urljoin(self.url, path),
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Accept": "application/json", "Content-Type": "application/json", **self.headers},
        )
        return _answer(request)

    def projects(self) -> dict[str, Json]:
        """The projects that are not archived, by ID."""
        found: dict[str, Json] = {}
        token = ""
        while True:
            page = self.call(f"/api/v1/projects?{urlencode({'limit': _PAGE, 'token': token})}")
            found |= {project["id"]: project for project in page.get("projects") or []}
            token = page.get("token") or ""
            if not token:
                return found

    def project(self, project: str) -> Json | None:
        """A project, archived or not. None: there is none."""
        try:
            return self.call(f"/api/v1/projects/{quote(project, safe='')}")
        except HTTPError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
            raise

    def attributes(self, name: str) -> dict[Place, Json]:
        """What is set for a project in a domain as a whole, of one kind."""
        answer = self.call(f"/api/v1/matchable_attributes?resource_type={_RESOURCE_TYPES[name]}")
        return {
            (one["project"], one["domain"]): (one.get("attributes") or {}).get(name) or {}
            for one in answer.get("configurations") or []
            if one.get("project") and one.get("domain") and not (one.get("workflow") or one.get("launch_plan"))
        }

    def put_attributes(self, place: Place, name: str, value: Json) -> None:
        """Set one kind for a project in a domain. flyteadmin replaces what it had."""
        project, domain = place
        attributes = {"project": project, "domain": domain, "matching_attributes": {name: value}}
        path = f"/api/v1/project_domain_attributes/{quote(project, safe='')}/{quote(domain, safe='')}"
        self.call(path, method="PUT", body={"attributes": attributes})


class Report:
    """What was changed and what could not be: a line each, and how many there are."""

    def __init__(self) -> None:
        self.changed = 0
        self.failed = 0

    def change(self, what: str) -> None:
        """Something is not as it was."""
        self.changed += 1
        self.say(what)

    def failure(self, what: str, error: Exception) -> None:
        """Something could not be set, and stays as it was."""
        self.failed += 1
        self.say(f"{what}: not set: {_why(error)}")

    @staticmethod
    def say(what: str) -> None:
        """Print a line."""
        print(what)  # noqa: T201 - the pod's log


def main(arguments: list[str]) -> int:
    """Run with the file that says what to set, and return the exit status.

    Args:
        arguments: The path of a JSON file: ``admin``, the URL of flyteadmin; ``projects``, each with ``id``, ``name``,
            ``description``, ``labels`` and ``domains``, which has the fields of ``MatchingAttributes`` by domain;
            ``closed``, those of a domain that a project does not have; ``sign_on``, with ``token_url``, ``client_id``,
            ``client_secret_file`` and ``scopes``.
    """
    settings = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    report = Report()
    try:
        flyteadmin = Flyteadmin(settings["admin"], _sign_on(settings["admin"], settings["sign_on"]))
        there = flyteadmin.projects()
    except _ERRORS as error:
        report.say(f"nothing set: {_why(error)}")
        return 1
    for project in settings["projects"]:
        try:
            _register(flyteadmin, project, there.get(project["id"]), report)
        except _ERRORS as error:
            report.failure(f"project {project['id']}", error)
    wanted = _wanted(settings, there, report)
    for name in _RESOURCE_TYPES:
        _reconcile(flyteadmin, name, {place: of[name] for place, of in wanted.items() if name in of}, report)
    report.say(f"{len(wanted)} domains of projects: {report.changed} changed, {report.failed} failed")
    return 1 if report.failed else 0


def _register(flyteadmin: Flyteadmin, project: Json, current: Json | None, report: Report) -> None:
    wanted = {key: project[key] for key in ("id", "name", "description", "labels")}
    found = current or flyteadmin.project(project["id"])
    if found is None:
        flyteadmin.call("/api/v1/projects", method="POST", body={"project": wanted})
        report.change(f"project {project['id']}: registered")
        return
    # The domains are the platform's, and flyteadmin refuses a project that names them.
    own = {key: value for key, value in found.items() if key != "domains"}
    merged = _merged(own, {**wanted, "state": "ACTIVE"})
    if merged != {"state": "ACTIVE", **own}:
        flyteadmin.call(f"/api/v1/projects/{quote(project['id'], safe='')}", method="PUT", body=merged)
        report.change(f"project {project['id']}: described anew, and active")


def _wanted(settings: Json, there: Mapping[str, Json], report: Report) -> dict[Place, Json]:
    """What is to be set in each domain of each project, those that the environment does not have closed."""
    listed = {project["id"]: project["domains"] for project in settings["projects"]}
    for project in there.keys() - listed.keys():
        report.say(
            f"project {project}: not in the environment, so its quota is nothing; to have it again, write it there; to "
            f"be rid of it, archive it: flytectl update project --id {project} --archive"
        )
    closed = {
        (project, domain["id"]): settings["closed"]
        for project, found in there.items()
        for domain in found.get("domains") or []
    }
    named = {(project, domain): of for project, domains in listed.items() for domain, of in domains.items()}
    return {**closed, **named}


def _reconcile(flyteadmin: Flyteadmin, name: str, wanted: Mapping[Place, Json], report: Report) -> None:
    try:
        current = flyteadmin.attributes(name)
    except _ERRORS as error:
        report.failure(f"{name} of all projects", error)
        return
    for place, value in wanted.items():
        found = current.get(place, {})
        merged = _merged(found, value)
        if merged == found:
            continue
        what = f"{place[0]} in {place[1]}: {name}"
        try:
            flyteadmin.put_attributes(place, name, merged)
        except _ERRORS as error:
            report.failure(what, error)
        else:
            report.change(f"{what}: {', '.join(_told(value, found))}")


def _merged(current: Any, wanted: Any) -> Any:  # noqa: ANN401 - any JSON value
    """What is wanted, and beside it what else is there."""
    if not isinstance(wanted, dict):
        return wanted
    there = current if isinstance(current, dict) else {}
    return {**there, **{key: _merged(there.get(key), value) for key, value in wanted.items()}}


def _told(wanted: Any, current: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401 - any JSON values
    """What differs, as ``field: new value``."""
    if not isinstance(wanted, dict):
        if wanted != current:
            yield f"{path} is {json.dumps(wanted)} now"
        return
    for key, value in wanted.items():
        there = current.get(key) if isinstance(current, dict) else None
        yield from _told(value, there, f"{path}.{key}" if path else key)


def _sign_on(admin: str, sign_on: Json) -> dict[str, str]:
    """A token for the client of Flyte's own components, under the header that flyteadmin asks for it by."""
    client = Flyteadmin(admin).call("/config/v1/flyte_client")
    form = {"grant_type": "client_credentials", "scope": " ".join(sign_on["scopes"])}
    if client.get("audience"):
        form["audience"] = client["audience"]
    secret = Path(sign_on["client_secret_file"]).read_text(encoding="utf-8").strip()
    # RFC 6749, section 2.3.1: both are form-encoded before they are joined.
    pair = f"{quote(sign_on['client_id'], safe='')}:{quote(secret, safe='')}"
    request = Request(  # noqa: S310 - the scheme is that of the configuration
        sign_on["token_url"],
        data=urlencode({name: value for name, value in form.items() if value}).encode(),
        headers={"Accept": "application/json", "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"},
    )
    answer = _answer(request)
    if "access_token" not in answer:
        raise ValueError(f"{sign_on['token_url']} answered without an access_token")
    return {client.get("authorization_metadata_key") or "Authorization": f"Bearer {answer['access_token']}"}


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
