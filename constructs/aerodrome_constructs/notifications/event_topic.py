"""A topic of what happens, for whoever wants to know."""

from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct


def event_topic(scope: Construct, construct_id: str, *, name: str, key: kms.IKey) -> sns.Topic:
    """Make a topic that is encrypted, and refuses whoever speaks to it without TLS.

    It is a standard topic: what is published may come twice, and in another order.

    Args:
        scope: The construct that it belongs to.
        construct_id: Its ID.
        name: Its name.
        key: The key that encrypts messages. Who publishes needs the right to use it; who subscribes does not.
    """
    return sns.Topic(scope, construct_id, topic_name=name, master_key=key, enforce_ssl=True)
