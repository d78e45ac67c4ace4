"""An account of the embedded AWS that the platform is deployed to."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pg8000.native

from aerodrome_local.cloudformation import StackResult, make_client
from aerodrome_local.testing import EmbeddedAws
from aerodrome_stacks.environment import Environment


@dataclass(frozen=True, slots=True)
class Account:
    """What a person with an AWS CLI would see in an environment's account, and what was deployed to it.

    Attributes:
        aws: The embedded AWS.
        environment: What the platform was made of.
        assembly: The cloud assembly, with its assets.
        stacks: What each stack's first deploy came to, by the stack's name.
    """

    aws: EmbeddedAws
    environment: Environment
    assembly: Path
    stacks: Mapping[str, StackResult]

    @property
    def id(self) -> str:
        """The account's number."""
        return self.environment.account

    @property
    def name(self) -> str:
        """What the names of its stacks, its cluster and much else begin with."""
        return f"aerodrome-{self.environment.name}"

    def client(self, service: str, region: str | None = None) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
        return make_client(service, self.aws.endpoint, self.id, region or self.environment.region)

    def resources(self, stack: str, resource_type: str) -> dict[str, str]:
        """The physical IDs of a stack's resources of a type by logical ID."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        found = {
            one["LogicalResourceId"]: one["PhysicalResourceId"]
            for page in pages.paginate(StackName=f"{self.name}-{stack}")
            for one in page["StackResourceSummaries"]
            if one["ResourceType"] == resource_type
        }
        assert found, f"the stack {stack} has no {resource_type}"
        return found

    def resource(self, stack: str, resource_type: str, name: str) -> str:
        """The physical ID of the one resource of a type whose logical ID begins with a name."""
        resources = self.resources(stack, resource_type)
        (found,) = [physical for logical, physical in resources.items() if logical.startswith(name)]
        return found

    def bucket(self, name: str) -> str:
        return self.resource("storage", "AWS::S3::Bucket", name)

    def reclaim_host(self, job_id: str) -> None:
        """Take a running job's host away, as EC2 does with spot instances.

        Raises:
            urllib.error.HTTPError: The job does not run.
        """
        self.aws.reclaim_host(job_id, self.id)

    def policy(self, bucket: str) -> list[dict[str, Any]]:
        """The statements of a bucket's policy."""
        document = json.loads(self.client("s3").get_bucket_policy(Bucket=self.bucket(bucket))["Policy"])
        statements: list[dict[str, Any]] = document["Statement"]
        return statements

    def logins(self) -> dict[str, str]:
        """The ARNs of the secrets of the Database stack by the user whose password each holds."""
        secrets = self.client("secretsmanager")
        arns = self.resources("database", "AWS::SecretsManager::Secret").values()
        found = {json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])["username"]: arn for arn in arns}
        assert len(found) == len(arns)
        return found

    def connect(self, login: Mapping[str, Any], *, encrypted: bool = True) -> pg8000.native.Connection:
        """Log in to the database with what a secret says, verifying the certificate."""
        trusting = ssl.create_default_context(cafile=str(self.aws.state_dir / "postgres" / "tls" / "rds-ca.pem"))
        return pg8000.native.Connection(
            login["username"],
            host=login["host"],
            port=int(login["port"]),
            database=login.get("dbname") or "postgres",
            password=login["password"],
            ssl_context=trusting if encrypted else False,
        )
