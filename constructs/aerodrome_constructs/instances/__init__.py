"""EC2 instances, whoever starts them."""

from aerodrome_constructs.instances.instance_types import has_nvidia_gpus
from aerodrome_constructs.instances.launch_template import hardened_launch_template

__all__ = ["hardened_launch_template", "has_nvidia_gpus"]
