"""AWS IAM: OpenID Connect providers, which turn the tokens of a cluster's service accounts into roles."""

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
