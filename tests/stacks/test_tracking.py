"""The Tracking stack: what it keeps secret, and what MLflow's role may not do with what it may reach."""

from collections.abc import Mapping
from typing import Any

from aerodrome_stacks.environment import Environment
from pytest_cdk import AssemblyFactory
from tests.iam.account import Account
from tests.templates import properties

ARTIFACT = "1/0a1b/artifacts/model/model.safetensors"
IN_A_URL = {"s3:authType": "REST-QUERY-STRING"}
IN_A_HEADER = {"s3:authType": "REST-HEADER"}


def secrets(cdk_assembly: AssemblyFactory, variant: str) -> dict[str, Mapping[str, Any]]:
    """The secrets of the stack, by name."""
    found = properties(cdk_assembly(variant).template("Tracking"), "AWS::SecretsManager::Secret")
    assert found
    return {secret["Name"]: secret for secret in found.values()}


def test_what_mlflow_signs_and_encrypts_with_is_made_up_by_secrets_manager(
    cdk_variant: str, cdk_assembly: AssemblyFactory, environment: Environment
) -> None:
    found = secrets(cdk_assembly, cdk_variant)

    assert found.keys() == {f"aerodrome/{environment.name}/mlflow/{name}" for name in ("session-key", "form-key")}
    for secret in found.values():
        # A text in the template would be the same for whoever reads it.
        assert "SecretString" not in secret
        assert secret["GenerateSecretString"]["ExcludePunctuation"] is True
        assert "KmsKeyId" in secret


def test_the_session_key_is_of_a_length_that_the_proxy_takes(
    cdk_variant: str, cdk_assembly: AssemblyFactory, environment: Environment
) -> None:
    key = secrets(cdk_assembly, cdk_variant)[f"aerodrome/{environment.name}/mlflow/session-key"]

    # 16, 24 or 32 bytes (oauth2-proxy, pkg/encryption/utils.go); 32 letters of base64 are 24 bytes.
    assert key["GenerateSecretString"]["PasswordLength"] == 32


def test_mlflow_signs_requests_of_its_own_and_no_url_for_others(account: Account) -> None:
    role = account.role("Identity", "Mlflow")
    artifact = f"{account.bucket('MlflowArtifacts')}/{ARTIFACT}"

    for action in ("s3:GetObject", "s3:PutObject"):
        assert account.can(role, action, artifact, IN_A_HEADER)
        assert not account.can(role, action, artifact, IN_A_URL)
