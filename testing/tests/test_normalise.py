"""Which hashes go, and what stays."""

import pytest

from pytest_cdk import PytestCdkError
from pytest_cdk.normalise import normalise, normalise_text

SHA = "0123456789abcdef" * 4
MD5 = "44e6826f882577b125ed439dff4e7c2e"


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        (f"{SHA}.zip", "<asset-hash>.zip"),
        (f"asset.{SHA}", "asset.<asset-hash>"),
        (f"/{SHA}.json and {SHA}", "/<asset-hash>.json and <asset-hash>"),
        (f"repository@sha256:{SHA}", f"repository@sha256:{SHA}"),
        (f"{SHA}0", f"{SHA}0"),
        (SHA.upper(), SHA.upper()),
        (f"HandlerCurrentVersion58B8A55D{MD5}", "HandlerCurrentVersion58B8A55D<content-hash>"),
        (f"ApiDeployment58B8A55D{MD5}.Arn", "ApiDeployment58B8A55D<content-hash>.Arn"),
        (f"Handler58B8A55D{MD5}", f"Handler58B8A55D{MD5}"),
    ],
)
def test_only_the_hash_goes(text: str, normalised: str) -> None:
    assert normalise_text(text) == normalised


def test_keys_lists_and_other_values() -> None:
    value = {f"VCurrentVersion58B8A55D{MD5}": [1, True, None, 1.5, {"Ref": SHA}]}
    assert normalise(value) == {"VCurrentVersion58B8A55D<content-hash>": [1, True, None, 1.5, {"Ref": "<asset-hash>"}]}


def test_two_keys_that_differ_only_in_a_hash_are_refused() -> None:
    with pytest.raises(PytestCdkError, match="two keys differ only in a hash"):
        normalise({SHA: 1, SHA[::-1]: 2})
