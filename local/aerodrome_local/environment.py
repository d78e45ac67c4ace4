"""The environment that the server runs in, and with it every Lambda function, job and database that it starts."""

import os
from pathlib import Path

from aerodrome_local.processes import INSTANCE_VARIABLE

_PREFIXES_OF_OTHERS = ("AWS_", "MINISTACK_", "LOCALSTACK_", "PYTHON", "CDK_")
_NAMES_OF_OTHERS = ("VIRTUAL_ENV", "DOCKER_HOST", "EDGE_PORT", "SERVICES")


def server_environment(state_dir: Path) -> dict[str, str]:
    """The caller's environment without what would leak into the embedded AWS, plus the server's settings.

    The shell's AWS credentials and profile are taken out: code under test must never reach a real account.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_PREFIXES_OF_OTHERS) and name not in _NAMES_OF_OTHERS
    }
    return {
        **inherited,
        INSTANCE_VARIABLE: str(state_dir),
        "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(state_dir / "tmp"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1,localhost",
        # MiniStack's own settings.
        "MINISTACK_HOST": "127.0.0.1",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state_dir / "ministack"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state_dir / "s3"),
        "LAMBDA_EXECUTOR": "local",
        # It would bind more ports (an MQTT broker, an SFTP server), and start containers where there is a Docker.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{state_dir}/no-docker.sock",
    }
