from aerodrome_constructs.identity import allow


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
