"""The embedded AWS as the command uses it: started in its own virtual environment, spoken to over boto3."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import boto3
from botocore.config import Config

from aerodrome.project import PROJECT

if TYPE_CHECKING:
    from types_boto3_batch import BatchClient
    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_cloudformation.type_defs import StackTypeDef
    from types_boto3_s3 import S3Client

# The embedded AWS verifies no signature, but the SDKs insist on signing.
_ANY_SECRET = "embedded"  # noqa: S105 - no secret: any value does


class EmbeddedAwsError(Exception):
    """The embedded AWS did not do what it was asked. The message is its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedAws:
    """An embedded AWS that is up, seen as one account and region.

    Attributes:
        endpoint: Its address on loopback.
        account: The account, which is also the access key ID: that is how the embedded AWS tells accounts apart.
        region: The region.
    """

    endpoint: str
    account: str
    region: str

    def environment_variables(self) -> dict[str, str]:
        """The variables that make a program, such as the CDK CLI, talk to this AWS and to no other."""
        return {**PROJECT.environment_variables(), **self.own_variables()}

    def own_variables(self) -> dict[str, str]:
        """Of these, the ones that lead to this AWS, whatever else the caller has."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.account,
            "AWS_SECRET_ACCESS_KEY": _ANY_SECRET,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    @property
    def batch(self) -> "BatchClient":
        """A client of AWS Batch."""
        return self._session().client("batch", **self._options())

    @property
    def cloudformation(self) -> "CloudFormationClient":
        """A client of CloudFormation."""
        return self._session().client("cloudformation", **self._options())

    @property
    def s3(self) -> "S3Client":
        """A client of S3."""
        return self._session().client("s3", **self._options())

    def stacks(self) -> "list[StackTypeDef]":
        """Every stack, as CloudFormation describes it."""
        pages = self.cloudformation.get_paginator("describe_stacks").paginate()
        return [stack for page in pages for stack in page["Stacks"]]

    def releases(self) -> list[dict[str, Any]]:
        """The Helm releases that the embedded AWS has recorded, by cluster."""
        with urlopen(f"{self.endpoint}/_aerodrome/releases", timeout=10) as answer:  # noqa: S310 - http on loopback
            releases: list[dict[str, Any]] = json.load(answer)
        return releases

    def _session(self) -> boto3.session.Session:
        return boto3.session.Session(
            aws_access_key_id=self.account, aws_secret_access_key=_ANY_SECRET, region_name=self.region
        )

    def _options(self) -> dict[str, Any]:
        return {"endpoint_url": self.endpoint, "config": Config(proxies={}, retries={"total_max_attempts": 2})}


def run_embedded_aws(verb: str, state_dir: Path, *options: str) -> str:
    """Run a verb of the embedded AWS, such as ``up``, and return what it printed.

    Args:
        verb: The verb.
        state_dir: The directory in which that embedded AWS keeps its state.
        options: Options of the verb, such as ``--json``.

    Raises:
        EmbeddedAwsError: If it failed.
        NotInstalledError: If its virtual environment is missing.
    """
    process = subprocess.run(
        [PROJECT.embedded_aws_python, "-m", "aerodrome_local", verb, "--state-dir", state_dir, *options],
        cwd=PROJECT.root,
        env=PROJECT.environment_variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode != 0:
        raise EmbeddedAwsError(process.stderr.strip() or f"`aerodrome local {verb}` failed without a word")
    return process.stdout
