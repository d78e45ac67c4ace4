from aerodrome_constructs.identity import allow, deny


def test_a_statement_allows_on_everything_unless_told_otherwise() -> None:
    assert allow(["pricing:GetProducts"]).to_statement_json() == {
        "Effect": "Allow",
        "Action": "pricing:GetProducts",
        "Resource": "*",
    }


def test_a_statement_keeps_its_resources_and_conditions() -> None:
    when = {"StringEquals": {"aws:RequestTag/team": ["ml", "bi"]}}
    assert allow(["s3:GetObject"], ["arn:aws:s3:::bucket/*"], when).to_statement_json() == {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::bucket/*",
        "Condition": when,
    }


def test_a_denial_says_no_to_everything_unless_told_otherwise() -> None:
    assert deny(
        ["iam:*"], conditions={"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}
    ).to_statement_json() == {
        "Effect": "Deny",
        "Action": "iam:*",
        "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}},
    }
