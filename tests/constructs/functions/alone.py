"""Whether a function's code is complete."""

import subprocess
import sys
from pathlib import Path


def problem_of_importing(handler: str, asset: Path) -> str:
    """Import an entry point with nothing but what its asset holds, and boto3, which is Lambda's own.

    Args:
        handler: The entry point.
        asset: The asset's folder.

    Returns:
        What is wrong; nothing, where the entry point can be called.
    """
    module, function = handler.rsplit(".", 1)
    program = f"""
import importlib, sys, types
for name in ("boto3", "botocore", "botocore.config", "botocore.exceptions"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["botocore.config"].Config = dict
sys.modules["botocore.exceptions"].BotoCoreError = sys.modules["botocore.exceptions"].ClientError = Exception
sys.path.insert(0, {str(asset)!r})
assert callable(importlib.import_module({module!r}).{function})
for name, module in sys.modules.items():
    file = getattr(module, "__file__", None) or ""
    assert not name.startswith("aws_cdk"), name
    assert "site-packages" not in file, file
"""
    # -I and -S: neither this project nor its site-packages can help.
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program], capture_output=True, text=True, check=False
    )
    return result.stderr
