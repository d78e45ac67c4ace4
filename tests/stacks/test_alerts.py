from collections.abc import Mapping

import pytest

from aerodrome_stacks.environment import Environment
from tests.templates import TemplateJson, properties, statements, text, with_id


@pytest.fixture
def alerts(stacks: Mapping[str, TemplateJson]) -> TemplateJson:
    return stacks["Alerts"]


def test_everybody_who_is_named_is_mailed(alerts: TemplateJson, environment: Environment) -> None:
    found = [one["Endpoint"] for one in properties(alerts, "AWS::SNS::Subscription").values()]
    assert sorted(found) == sorted(environment.alerts.emails)


def test_the_key_of_the_topic_is_lent_for_the_topic_that_is_made(
    alerts: TemplateJson, stacks: Mapping[str, TemplateJson], environment: Environment
) -> None:
    topic = with_id(alerts, "AWS::SNS::Topic", "Topic")
    assert "Alerts" in text(topic["KmsMasterKeyId"])
    (lent,) = [one for one in statements(stacks["Keys"], "Alerts") if "kms:Decrypt" in one.actions]
    assert text(lent.conditions["StringEquals"]["kms:EncryptionContext:aws:sns:topicArn"]) == (
        f"arn:aws:sns:{environment.region}:{environment.account}:{topic['TopicName']}"
    )
