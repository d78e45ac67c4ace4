"""EC2 instances, whoever starts them."""

from aerodrome_constructs.instances.launch_template import hardened_launch_template

__all__ = ["hardened_launch_template"]
