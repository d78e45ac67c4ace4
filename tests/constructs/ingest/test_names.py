"""Names with places in braces."""

import json

import pytest

from aerodrome_constructs.ingest.names import as_states_format, filled, in_patterns, job_definition_arns


def test_a_definition_is_allowed_in_each_of_its_revisions_and_no_other_is() -> None:
    assert job_definition_arns("arn:aws:batch:eu-west-1:1", "a-{project}-ingest") == [
        "arn:aws:batch:eu-west-1:1:job-definition/a-*-ingest",
        "arn:aws:batch:eu-west-1:1:job-definition/a-*-ingest:*",
    ]


def test_a_name_is_filled_in_once_for_each_that_there_is() -> None:
    places = [{"project": "a", "domain": "d"}, {"project": "b", "domain": "d"}]
    assert filled("{project}/{domain}/", places) == ["a/d/", "b/d/"]
    assert filled("queue-{domain}", places) == ["queue-d"]


@pytest.mark.parametrize("count", [1, 20, 100])
def test_prefixes_are_shared_out_over_rules_that_eventbridge_takes(count: int) -> None:
    prefixes = [f"project-with-a-long-name-{number}/development/manifests/" for number in range(count)]
    groups = in_patterns(prefixes)
    assert [prefix for group in groups for prefix in group] == prefixes
    lengths = [len(json.dumps([{"prefix": prefix} for prefix in group], separators=(",", ":"))) for group in groups]
    assert max(lengths) <= 1025
    assert len(groups) == -(-count // 15), "no more rules than it takes"


def test_no_prefix_needs_no_rule() -> None:
    assert in_patterns([]) == []


def test_a_name_becomes_an_expression_over_the_folders_of_the_key() -> None:
    assert as_states_format("q-{domain}-{project}", "{project}/{domain}/chain/") == (
        "States.Format('q-{}-{}', States.ArrayGetItem(States.StringSplit($.key, '/'), 1), "
        "States.ArrayGetItem(States.StringSplit($.key, '/'), 0))"
    )


def test_a_name_needs_the_folder_that_decides() -> None:
    with pytest.raises(ValueError, match=r"the name q-\{team\} needs team, and no folder of \{project\}/chain/ is"):
        as_states_format("q-{team}", "{project}/chain/")
