"""Templates without the hashes that change with every line of Lambda code."""

import json
import re
from collections.abc import Mapping, Sequence

from pytest_cdk.errors import PytestCdkError

ASSET_HASH = "<asset-hash>"
CONTENT_HASH = "<content-hash>"

# The CDK names an asset by the SHA-256 of its content. The digest of a container image or of a chart, written
# `sha256:...`, is a decision somebody made, not a hash of the app's own files: it stays.
_ASSET = re.compile(r"(?<![0-9a-f])(?<!sha256:)[0-9a-f]{64}(?![0-9a-f])")

# `Function.current_version` and API Gateway's deployments append an MD5 of what they hold to a logical ID, behind the
# eight hexadecimal digits with which every logical ID ends.
_CONTENT = re.compile(r"((?:CurrentVersion|Deployment)[0-9A-F]{8})[0-9a-f]{32}")


def normalise_text(text: str) -> str:
    """Replace the hashes in one string: asset hashes by ``<asset-hash>``, content hashes by ``<content-hash>``."""
    return _CONTENT.sub(rf"\1{CONTENT_HASH}", _ASSET.sub(ASSET_HASH, text))


def normalise(value: object) -> object:
    """Replace the hashes in every string and every key of a JSON value.

    Only the hash goes, never the property around it: a changed bucket, prefix or file type stays visible.

    Raises:
        PytestCdkError: Two keys of one object are the same without their hashes, so one would hide the other.
    """
    if isinstance(value, str):
        return normalise_text(value)
    if isinstance(value, Mapping):
        normalised = {normalise_text(str(key)): normalise(item) for key, item in value.items()}
        if len(normalised) != len(value):
            raise PytestCdkError(
                "two keys differ only in a hash, and the snapshot would show one of them: " + ", ".join(map(str, value))
            )
        return normalised
    if isinstance(value, Sequence):
        return [normalise(item) for item in value]
    return value


def snapshot_text(template: Mapping[str, object]) -> str:
    """Render a template as its snapshot: hashes normalised, keys sorted, one space of indent, a newline at the end."""
    return json.dumps(normalise(template), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
