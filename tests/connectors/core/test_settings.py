"""What is wrong with the connector's settings, in words."""

from pathlib import Path

import pytest

from flytekit_aws_batch.core.settings import Settings, SettingsError


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("regio: eu-west-1", "regio: there is no such option; did you mean region? (got 'eu-west-1')"),
        (
            "queues: {dev: [{arn: a, kind: spot, fairshare: true}]}",
            "queues.dev.0.fairshare: there is no such option; did you mean fair_share? (got True)",
        ),
        ("queues: {dev: [{arn: a}]}", "queues.dev.0.kind: it is left out, and needed"),
        (
            "queues: {dev: [general]}",
            "queues.dev.0: names with values are needed, arn, kind at least (got 'general')",
        ),
        (
            "queues: {dev: general}",
            "queues.dev: a list is needed; put it in brackets, one by itself, too (got 'general')",
        ),
        (
            "limits: {submits: many}",
            "limits.submits: a number is needed, such as 0.5 (got 'many')",
        ),
        ("limits: {submit: 5}", "limits.submit: there is no such option; did you mean submits? (got 5)"),
        ("check_images: maybe", "check_images: True or False is needed (got 'maybe')"),
        ("tags: [a]", 'tags: names with values are needed, such as {"name": "value"} (got [\'a\'])'),
        ("general", "names with values are needed (got 'general')"),
    ],
)
def test_what_is_wrong_is_told_with_how_to_mend_it(tmp_path: Path, written: str, told: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(written)
    with pytest.raises(SettingsError) as refused:
        Settings.read(file)
    assert str(refused.value) == f"{file}: {told}"


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("regio: a\nlease_seconds: 1\n")
    with pytest.raises(SettingsError) as refused:
        Settings.read(file)
    assert str(refused.value).splitlines() == [
        f"{file}: lease_seconds: Input should be greater than or equal to 5 (got 1)",
        f"{file}: regio: there is no such option; did you mean region? (got 'a')",
    ]
