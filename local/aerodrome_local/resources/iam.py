"""AWS IAM: OpenID Connect providers, and what MiniStack does otherwise of instance profiles and drops of roles."""

from typing import Any

from botocore.exceptions import ClientError

from aerodrome_local.ministack_private import oidc_providers
from aerodrome_local.resources.conversion import tag_list
from aerodrome_local.runtime import Created, Properties, Runtime


def install(runtime: Runtime) -> None:
    """Register the types."""
    iam = _Iam(runtime)
    runtime.resource(
        "AWS::IAM::OIDCProvider",
        create=iam.create_provider,
        update=iam.update_provider,
        delete=iam.delete_provider,
        replaces=("Url",),
        tags=("Tags", "list"),
    )
    runtime.resource(
        "AWS::IAM::InstanceProfile",
        create=iam.create_profile,
        update=iam.update_profile,
        delete=iam.delete_profile,
        replaces=("InstanceProfileName", "Path"),
    )
    runtime.on_create("AWS::IAM::Role", iam.bound)


class _Iam:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def create_provider(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        arn = self._runtime.client("iam").create_open_id_connect_provider(
            Url=properties["Url"],
            ClientIDList=properties.get("ClientIdList", []),
            ThumbprintList=properties.get("ThumbprintList", []),
            Tags=tag_list(properties.get("Tags")),
        )["OpenIDConnectProviderArn"]
        return arn, {"Arn": arn}

    def update_provider(self, physical_id: str, _old: Properties, new: Properties, _stack_name: str) -> Created:
        # MiniStack has no API to change a provider.
        changes = {
            "ClientIDList": list(new.get("ClientIdList", [])),
            "ThumbprintList": list(new.get("ThumbprintList", [])),
            "Tags": tag_list(new.get("Tags")),
        }
        self._runtime.on_event_loop(lambda: oidc_providers[physical_id].update(changes))
        return physical_id, {"Arn": physical_id}

    def delete_provider(self, physical_id: str, _properties: Properties) -> None:
        try:
            self._runtime.client("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=physical_id)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchEntity", "NoSuchEntityException"):
                raise

    def bound(self, physical_id: str, properties: Properties, _attributes: dict[str, Any]) -> None:
        """Give a role the boundary that its template says, or take away the one that it no longer says."""
        client = self._runtime.client("iam")
        boundary = properties.get("PermissionsBoundary")
        if boundary:
            client.put_role_permissions_boundary(RoleName=physical_id, PermissionsBoundary=boundary)
        elif "PermissionsBoundary" in client.get_role(RoleName=physical_id)["Role"]:
            client.delete_role_permissions_boundary(RoleName=physical_id)

    def create_profile(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        name = properties.get("InstanceProfileName") or self._runtime.physical_name(stack_name, logical_id)
        client = self._runtime.client("iam")
        profile = client.create_instance_profile(InstanceProfileName=name, Path=properties.get("Path", "/"))
        for role in properties["Roles"]:
            client.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
        return name, {"Arn": profile["InstanceProfile"]["Arn"]}

    def update_profile(self, physical_id: str, old: Properties, new: Properties, _stack_name: str) -> Created:
        client = self._runtime.client("iam")
        for role in old["Roles"]:
            client.remove_role_from_instance_profile(InstanceProfileName=physical_id, RoleName=role)
        for role in new["Roles"]:
            client.add_role_to_instance_profile(InstanceProfileName=physical_id, RoleName=role)
        profile = client.get_instance_profile(InstanceProfileName=physical_id)["InstanceProfile"]
        return physical_id, {"Arn": profile["Arn"]}

    def delete_profile(self, physical_id: str, _properties: Properties) -> None:
        client = self._runtime.client("iam")
        try:
            profile = client.get_instance_profile(InstanceProfileName=physical_id)["InstanceProfile"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchEntity":
                raise
            return
        for role in profile["Roles"]:
            client.remove_role_from_instance_profile(InstanceProfileName=physical_id, RoleName=role["RoleName"])
        client.delete_instance_profile(InstanceProfileName=physical_id)
