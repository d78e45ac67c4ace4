"""What EventBridge makes of an event for a target: nothing that is put into a template is escaped."""

import json

import pytest

from aerodrome_local.events.transformer import at, transformed

EVENT = {
    "source": "shop",
    "resources": ["first", "second"],
    "detail": {"name": 'a "b"', "size": 3, "sold": True, "parts": [{"id": "x\\"}], "empty": {}},
}


def made(template: str, **paths: str) -> str:
    reserved = {"aws.events.rule-name": "mine", "aws.events.event.json": EVENT}
    return transformed({"InputPathsMap": paths, "InputTemplate": template}, EVENT, reserved)


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ('{"v": <v>}', "$.source", '{"v": "shop"}'),
        ('{"v": "<v>"}', "$.source", '{"v": "shop"}'),
        ('{"v": <v>}', "$.detail.size", '{"v": 3}'),
        ('{"v": "<v>"}', "$.detail.size", '{"v": "3"}'),
        ('{"v": <v>}', "$.detail.sold", '{"v": true}'),
        ('{"v": [9, <v>]}', "$.resources[1]", '{"v": [9, "second"]}'),
        ('"in <v>"', "$.detail.size", '"in 3"'),
        ("in <v>", "$.source", "in shop"),
        # As it is, with what that comes to.
        ('{"v": <v>}', "$.detail.name", '{"v": "a "b""}'),
        ('{"v": "<v>"}', "$.detail.name", '{"v": "a "b""}'),
        # Nothing is put in for what is not there.
        ('{"v": <v>}', "$.detail.missing.deeper", '{"v": }'),
        ('{"v": "<v>"}', "$.resources[7]", '{"v": ""}'),
        # Without its quotation marks, an object may stand in a text.
        ('{"v": "<v>"}', "$.resources", '{"v": "[first, second]"}'),
    ],
)
def test_a_value_is_put_in_as_it_is(template: str, path: str, expected: str) -> None:
    assert made(template, v=path) == expected


@pytest.mark.parametrize("template", ['{"v": <v>}', '{"v": <aws.events.event.json>}'])
def test_an_object_is_put_in_as_json(template: str) -> None:
    path = "$.detail" if "<v>" in template else "$.source"
    assert json.loads(made(template, v=path)) == {"v": EVENT["detail"] if "<v>" in template else EVENT}


def test_a_template_may_be_one_object() -> None:
    assert json.loads(made("<v>", v="$.detail")) == EVENT["detail"]


def test_the_rules_own_variables_are_known() -> None:
    assert made('"<aws.events.rule-name> of <v>"', v="$.source") == '"mine of shop"'


def test_a_path_finds_what_is_there_and_nothing_else() -> None:
    assert at(EVENT, "$") == EVENT
    assert at(EVENT, "$.detail.parts[0].id") == "x\\"
    assert at(EVENT, "$.source.deeper") is None
