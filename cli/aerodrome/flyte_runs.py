"""What Flyte tasks on this machine need to run as jobs of the embedded AWS, read from what is deployed there."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from aerodrome.embedded_aws import EmbeddedAws, EmbeddedAwsError, run_embedded_aws
from flytekit_aws_batch.common import DOMAIN_VARIABLE, PROJECT_VARIABLE
from flytekit_aws_batch.core.settings import VARIABLE

RAW_OUTPUT: Final = "AERODROME_RAW_OUTPUT"
"""The environment variable that has the prefix in S3 for pyflyte, which knows none of its own for it."""

_CONNECTOR = "connector-aws-batch"
_SETTINGS_KEY = "settings.yaml"
_FLYTE = "aerodrome-flyte"
_PROJECTS = "aerodrome-projects"

_HERE: Mapping[str, object] = {
    # Nothing here is short of calls, and pyflyte asks every second.
    "freshest_seconds": 0.25,
    # What Batch tells there is told to one reader, and the platform's own is it.
    "events_queue": None,
}
"""What differs from the settings of the platform's own connector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlyteRuns:
    """How to run Flyte tasks of one project as jobs of an embedded AWS.

    Attributes:
        aws: The embedded AWS, in the account and region that the platform is in.
        project: The project whose tasks they are.
        domain: The domain.
        raw_output: Where tasks write: an ``s3://`` URL without a slash at the end.
        settings: The settings of the connector.
    """

    aws: EmbeddedAws
    project: str
    domain: str
    raw_output: str
    settings: Mapping[str, Any]

    def variables(self, config: Path) -> dict[str, str]:
        """The environment variables that pyflyte needs beside the caller's.

        Args:
            config: The file that :meth:`write` wrote.
        """
        return {
            **self.aws.own_variables(),
            VARIABLE: str(config),
            PROJECT_VARIABLE: self.project,
            DOMAIN_VARIABLE: self.domain,
            RAW_OUTPUT: self.raw_output,
        }

    def write(self, folder: Path) -> Path:
        """Write the connector's settings, and return the file.

        Args:
            folder: Where to. It is made unless it is there.
        """
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / f"{_CONNECTOR}.yaml"
        # JSON is YAML, too.
        config.write_text(json.dumps(self.settings, indent=2) + "\n", encoding="utf-8")
        return config


def folder_of(state_dir: Path) -> Path:
    """Where what belongs to Flyte runs is kept: with the state of the embedded AWS, and gone when that is reset."""
    return state_dir / "flyte"


def find(
    state_dir: Path, *, env: str | None = None, project: str | None = None, domain: str | None = None
) -> FlyteRuns:
    """Find out how to run tasks on the platform that is deployed.

    Args:
        state_dir: The directory of the embedded AWS.
        env: The environment. None: the one that is deployed.
        project: The project. None: the first that the environment names.
        domain: The domain. None: the first that the project has.

    Raises:
        EmbeddedAwsError: It is down, or nothing is deployed that could run them, or not for that project.
        NotInstalledError: Its virtual environment is missing.
    """
    releases: list[dict[str, Any]] = json.loads(run_embedded_aws("releases", state_dir, "--json"))
    status = json.loads(run_embedded_aws("status", state_dir, "--json"))
    return of_releases(releases, status["endpoint"], env=env, project=project, domain=domain)


def of_releases(
    releases: Sequence[Mapping[str, Any]],
    endpoint: str,
    *,
    env: str | None = None,
    project: str | None = None,
    domain: str | None = None,
) -> FlyteRuns:
    """What the recorded Helm releases say of it. Arguments and errors are those of :func:`find`."""
    cluster = _cluster(releases, env)
    own = {release["release"]: release for release in releases if release["cluster"] == cluster}
    raw_outputs = _raw_outputs(own[_PROJECTS]["values"])
    project = _chosen("project", project, list(dict.fromkeys(name for name, _ in raw_outputs)), cluster)
    domain = _chosen(f"domain of {project}", domain, [of for name, of in raw_outputs if name == project], cluster)
    return FlyteRuns(
        aws=EmbeddedAws(endpoint=endpoint, account=own[_FLYTE]["account"], region=own[_FLYTE]["region"]),
        project=project,
        domain=domain,
        raw_output=raw_outputs[project, domain].rstrip("/"),
        settings={**_settings(own[_FLYTE], cluster), **_HERE},
    )


def _cluster(releases: Sequence[Mapping[str, Any]], env: str | None) -> str:
    having = [
        {str(release["cluster"]) for release in releases if release["release"] == name} for name in (_FLYTE, _PROJECTS)
    ]
    clusters = sorted(set.intersection(*having))
    if not clusters:
        raise EmbeddedAwsError("no platform with Flyte is deployed there: `make try` deploys one")
    if env is None and len(clusters) == 1:
        return clusters[0]
    wanted = f"aerodrome-{env}"
    if wanted not in clusters:
        asked = "several environments are deployed" if env is None else f"--env {env}: it is not deployed"
        raise EmbeddedAwsError(f"{asked}; name one of: {', '.join(name.partition('-')[2] for name in clusters)}")
    return wanted


def _raw_outputs(values: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Where tasks write, by project and domain: what flyteadmin is told."""
    return {
        (project["name"], domain): str(config["raw_output_data_config"]["output_location_prefix"])
        for project in values["reconciler"]["projects"]
        for domain, settings in project["domains"].items()
        for config in [settings["workflow_execution_config"]]
    }


def _chosen(what: str, wanted: str | None, there: Sequence[str], cluster: str) -> str:
    if wanted is None:
        return there[0]
    if wanted not in there:
        raise EmbeddedAwsError(f"{wanted}: no {what} in {cluster}; there are: {', '.join(there)}")
    return wanted


def _settings(release: Mapping[str, Any], cluster: str) -> dict[str, Any]:
    rendered = release["rendered"]
    if not rendered["done"]:
        raise EmbeddedAwsError(f"the manifests of {release['release']} are not known: {rendered['reason']}")
    for manifest in YAML(typ="safe").load_all(rendered["manifest"]):
        if manifest and manifest["kind"] == "ConfigMap" and manifest["metadata"]["name"] == _CONNECTOR:
            return dict(YAML(typ="safe").load(manifest["data"][_SETTINGS_KEY]))
    raise EmbeddedAwsError(
        f"{cluster} has no connector for AWS Batch: give flyte.batch_connector an image in the environment's file, and "
        "deploy it"
    )
