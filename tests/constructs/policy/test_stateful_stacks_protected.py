from aerodrome_constructs.policy import StackTemplate
from aerodrome_constructs.policy.stateful_stacks_protected import RULE
from tests.constructs.policy.findings import findings, resource

BUCKET, KEY = resource("AWS::S3::Bucket"), resource("AWS::KMS::Key")


def test_a_protected_stack_may_hold_data() -> None:
    stack = StackTemplate(
        path="Stack", file="Stack.json", template={"Resources": {"Data": BUCKET}}, termination_protection=True
    )
    assert list(RULE.check([stack])) == []


def test_an_unprotected_stack_with_data_is_found_and_says_what_it_holds() -> None:
    assert findings(RULE, Key=KEY, Data=BUCKET) == ["Stack : no termination protection, and the stack holds Data, Key"]


def test_a_stack_with_nothing_but_logs_and_secrets_needs_none() -> None:
    log, secret = resource("AWS::Logs::LogGroup"), resource("AWS::SecretsManager::Secret")
    assert findings(RULE, Log=log, Password=secret, Role=resource("AWS::IAM::Role")) == []
