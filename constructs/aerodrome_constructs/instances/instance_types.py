"""What the name of an EC2 instance type tells."""

import re


def has_nvidia_gpus(instance_type: str) -> bool:
    """Whether an instance type has NVIDIA GPUs: the families g, gr and p have, but for g4ad, whose are AMD's."""
    return re.match(r"(?:gr?|p)[0-9]", instance_type) is not None and not instance_type.startswith("g4ad.")
