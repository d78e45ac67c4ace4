"""A flyteadmin that answers as flyteadmin v1.16.8 does, as far as ``charts/aerodrome-projects`` asks it anything."""

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

DOMAINS = ("development", "production")

_ATTRIBUTES = "/api/v1/project_domain_attributes/"
_PROJECTS = "/api/v1/projects"
# The fields of MatchingAttributes by resource type.
_FIELDS = {
    "TASK_RESOURCE": "task_resource_attributes",
    "CLUSTER_RESOURCE": "cluster_resource_attributes",
    "EXECUTION_QUEUE": "execution_queue_attributes",
    "WORKFLOW_EXECUTION_CONFIG": "workflow_execution_config",
}

Answer = tuple[int, dict[str, Any]]


@dataclass
class Flyteadmin:
    """What flyteadmin keeps, and what it was asked.

    Attributes:
        url: Where it listens.
        projects: The projects by ID, as ``admin.Project`` without its domains, which are the same for all.
        attributes: The attributes by field, project, domain and workflow. Empty: of the whole project or domain.
        broken: Paths, or beginnings of paths, that it answers with an error of its own.
        token: The token that it wants.
        page: How many projects it tells at once, whatever it is asked for.
        writes: What was changed: method and path.
        forms: What the token's endpoint was sent, with its ``Authorization`` header.
    """

    url: str = ""
    projects: dict[str, dict[str, Any]] = field(default_factory=dict)
    attributes: dict[tuple[str, str, str, str], dict[str, Any]] = field(default_factory=dict)
    broken: tuple[str, ...] = ()
    token: str = "a-token"
    page: int = 100
    writes: list[tuple[str, str]] = field(default_factory=list)
    forms: list[tuple[dict[str, list[str]], str]] = field(default_factory=list)

    def of(self, kind: str, project: str, domain: str) -> dict[str, Any]:
        """The attributes of a project in a domain as a whole."""
        return self.attributes[kind, project, domain, ""]

    def get(self, path: str, query: dict[str, list[str]]) -> Answer:
        """Answer a GET."""
        if path == "/config/v1/flyte_client":
            return 200, {
                "client_id": "flytectl",
                "scopes": ["openid"],
                "authorization_metadata_key": "",
                "audience": "",
            }
        if path == "/api/v1/matchable_attributes":
            kind = _FIELDS[query["resource_type"][0]]
            found = [
                {"attributes": {kind: value}, "project": at[1], "domain": at[2], "workflow": at[3], "launch_plan": ""}
                for at, value in self.attributes.items()
                if at[0] == kind
            ]
            return 200, {"configurations": found}
        if path == _PROJECTS:
            assert int(query["limit"][0]) > 0, "flyteadmin takes it for a limit of 0"
            # Without a filter, it leaves out those that are archived.
            shown = [self._shown(one) for one in self.projects.values() if one.get("state") != "ARCHIVED"]
            offset = int(query.get("token", ["0"])[0])
            page = shown[offset : offset + self.page]
            return 200, {"projects": page, "token": str(offset + len(page)) if len(page) == self.page else ""}
        project = path.removeprefix(f"{_PROJECTS}/")
        if project in self.projects:
            return 200, self._shown(self.projects[project])
        return 404, {"code": 5, "message": f"project [{project}] not found"}

    def post(self, path: str, body: dict[str, Any]) -> Answer:
        """Answer a POST."""
        assert path == _PROJECTS
        return self._describe(body["project"])

    def put(self, path: str, body: dict[str, Any]) -> Answer:
        """Answer a PUT."""
        if path.startswith(_ATTRIBUTES):
            project, domain = path.removeprefix(_ATTRIBUTES).split("/")
            attributes = body["attributes"]
            assert (attributes["project"], attributes["domain"]) == (project, domain)
            if self.projects.get(project, {}).get("state", "ARCHIVED") != "ACTIVE" or domain not in DOMAINS:
                return 400, {"code": 3, "message": f"project [{project}] and domain [{domain}] are not registered"}
            ((kind, value),) = attributes["matching_attributes"].items()
            assert kind in _FIELDS.values()
            self.attributes[kind, project, domain, ""] = value
            return 200, {}
        assert body["id"] == path.removeprefix(f"{_PROJECTS}/")
        return self._describe(body)

    def _describe(self, project: dict[str, Any]) -> Answer:
        if "domains" in project:
            return 400, {"code": 3, "message": "Domains are currently only set system wide."}
        # What is empty stays as it was, but for the state.
        stated = {key: value for key, value in project.items() if value}
        self.projects[project["id"]] = {**self.projects.get(project["id"], {}), "state": "ACTIVE", **stated}
        return 200, {}

    @staticmethod
    def _shown(project: dict[str, Any]) -> dict[str, Any]:
        # It answers with every field, those that nobody set too.
        unset = {"description": "", "labels": None, "state": "ACTIVE", "org": ""}
        return {**unset, **project, "domains": [{"id": domain, "name": domain} for domain in DOMAINS]}


class FlyteadminHandler(BaseHTTPRequestHandler):
    """flyteadmin over HTTP.

    Attributes:
        admin: The flyteadmin.
    """

    admin: Flyteadmin

    def do_GET(self) -> None:
        """Answer a GET."""
        parts = urlsplit(self.path)
        if self._is_let_in(parts.path):
            self._answer(*self.admin.get(parts.path, parse_qs(parts.query)))

    def do_PUT(self) -> None:
        """Answer a PUT."""
        body = json.loads(self._body())
        if self._is_let_in(self.path):
            self.admin.writes.append(("PUT", self.path))
            self._answer(*self.admin.put(self.path, body))

    def do_POST(self) -> None:
        """Answer a POST, or hand out a token."""
        body = self._body().decode()
        if self.path == "/token":
            self.admin.forms.append((parse_qs(body), self.headers["Authorization"]))
            self._answer(200, {"access_token": "a-token", "token_type": "bearer"})
        elif self._is_let_in(self.path):
            self.admin.writes.append(("POST", self.path))
            self._answer(*self.admin.post(self.path, json.loads(body)))

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _is_let_in(self, path: str) -> bool:
        if any(self.path.startswith(beginning) for beginning in self.admin.broken):
            self._answer(500, {"code": 13, "message": "the database is away"})
            return False
        if path.startswith("/config/") or self.headers["Authorization"] == f"Bearer {self.admin.token}":
            return True
        self._answer(401, {"code": 16, "message": "token parse error"})
        return False

    def _answer(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
