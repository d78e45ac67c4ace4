"""Custom resources of the CDK whose Lambda functions run on Node.js with the AWS SDK for JavaScript.

AWS has that SDK in its runtime; a laptop does not, and it may have no Node.js either. So they are answered here.
"""

import json
from typing import Any

from botocore.exceptions import ClientError

from aerodrome_local.runtime import Created, Properties, Runtime


def install(runtime: Runtime) -> None:
    """Register the types."""
    restrict = _RestrictDefaultSecurityGroup(runtime)
    runtime.resource(
        "Custom::VpcRestrictDefaultSG", create=restrict.create, update=restrict.update, delete=restrict.delete
    )
    runtime.resource("Custom::AWSCDKCfnJson", create=_create_json, update=_update_json, delete=_delete_json)


class _RestrictDefaultSecurityGroup:
    """Takes the rules of a VPC's default security group away, and gives them back on delete."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def create(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        client = self._runtime.client("ec2")
        for revoke, rule in (
            (client.revoke_security_group_egress, _to_anywhere(properties)),
            (client.revoke_security_group_ingress, _from_itself(properties)),
        ):
            try:
                revoke(**rule)
            except ClientError as error:
                if error.response["Error"]["Code"] != "InvalidPermission.NotFound":
                    raise
        return f"{properties['DefaultSecurityGroupId']}-restricted", {}

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        if old["DefaultSecurityGroupId"] == new["DefaultSecurityGroupId"]:
            return physical_id, {}
        # The physical ID changes with the group, so CloudFormation deletes for the old one.
        return self.create("", new, stack_name)

    def delete(self, _physical_id: str, properties: Properties) -> None:
        client = self._runtime.client("ec2")
        for authorize, rule in (
            (client.authorize_security_group_ingress, _from_itself(properties)),
            (client.authorize_security_group_egress, _to_anywhere(properties)),
        ):
            try:
                authorize(**rule)
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("InvalidGroup.NotFound", "InvalidPermission.Duplicate"):
                    raise


def _from_itself(properties: Properties) -> dict[str, Any]:
    group = properties["DefaultSecurityGroupId"]
    pair = {"GroupId": group, "UserId": properties["Account"]}
    return {"GroupId": group, "IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [pair]}]}


def _to_anywhere(properties: Properties) -> dict[str, Any]:
    anywhere = [{"CidrIp": "0.0.0.0/0"}]
    return {
        "GroupId": properties["DefaultSecurityGroupId"],
        "IpPermissions": [{"IpProtocol": "-1", "IpRanges": anywhere}],
    }


def _create_json(logical_id: str, properties: Properties, stack_name: str) -> Created:
    return f"{stack_name}/{logical_id}", {"Value": json.loads(properties["Value"])}


def _update_json(physical_id: str, _old: Properties, new: Properties, _stack_name: str) -> Created:
    return physical_id, {"Value": json.loads(new["Value"])}


def _delete_json(_physical_id: str, _properties: Properties) -> None:
    """Nothing was made."""
