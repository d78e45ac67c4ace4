"""Amazon SES: the keys with which a domain's emails are signed, which MiniStack leaves out."""

from typing import Any

from aerodrome_local.ministack_private import dkim_tokens, ses_identities
from aerodrome_local.resources.conversion import only_known
from aerodrome_local.runtime import Properties, Runtime


def install(runtime: Runtime) -> None:
    """Register the hook."""
    runtime.on_create("AWS::SES::EmailIdentity", _complete)


def _complete(identity: str, properties: Properties, _attributes: dict[str, Any]) -> dict[str, str]:
    signing = properties.get("DkimSigningAttributes") or {}
    only_known("DkimSigningAttributes", signing, ("NextSigningKeyLength",))
    if "@" in identity:
        return {}
    tokens = dkim_tokens(identity)
    length = signing.get("NextSigningKeyLength", "RSA_2048_BIT")
    ses_identities[identity]["DkimAttributes"].update(
        SigningAttributesOrigin="AWS_SES",
        CurrentSigningKeyLength=length,
        NextSigningKeyLength=length,
        # Nobody looks the records up here.
        Status="PENDING",
        Tokens=tokens,
    )
    attributes = {}
    for number, token in enumerate(tokens, start=1):
        attributes[f"DkimDNSTokenName{number}"] = f"{token}._domainkey.{identity}"
        attributes[f"DkimDNSTokenValue{number}"] = f"{token}.dkim.amazonses.com"
    return attributes
