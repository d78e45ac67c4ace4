import json

import aws_cdk as cdk
import pytest

from aerodrome_constructs.helm import ValuesConflictError, merge_values, values_as_json


def test_maps_merge_at_every_depth() -> None:
    merged = merge_values({"a": {"b": {"c": 1}}, "d": 2}, {"a": {"b": {"e": 3}, "f": 4}})

    assert merged == {"a": {"b": {"c": 1, "e": 3}, "f": 4}, "d": 2}


def test_merging_leaves_both_sources_as_they_were() -> None:
    written = {"a": {"b": 1}}
    computed = {"a": {"c": 2}}

    merge_values(written, computed)

    assert written == {"a": {"b": 1}}
    assert computed == {"a": {"c": 2}}


@pytest.mark.parametrize(
    ("written", "computed"),
    [
        pytest.param(1, 2, id="scalars"),
        pytest.param("same", "same", id="equal values"),
        pytest.param([1], [2], id="lists"),
        pytest.param(None, "x", id="a null that removes a default"),
        pytest.param({"c": 1}, 2, id="a map and a scalar"),
        pytest.param(1, {"c": 2}, id="a scalar and a map"),
    ],
)
def test_a_path_with_two_sources_is_an_error_that_names_it(written: object, computed: object) -> None:
    with pytest.raises(ValuesConflictError, match=r"^a\.b: set twice"):
        merge_values({"a": {"b": written}}, {"a": {"b": computed}})  # type: ignore[dict-item]  # two values of any type


def test_nulls_reach_helm_at_every_depth() -> None:
    text = values_as_json({"a": None, "b": {"c": None}, "d": [None, {"e": None}]})

    assert json.loads(text) == {"a": None, "b": {"c": None}, "d": [None, {"e": None}]}


def test_the_text_does_not_depend_on_the_order_of_keys() -> None:
    assert values_as_json({"a": 1, "b": 2}) == values_as_json({"b": 2, "a": 1})


def test_tokens_that_stand_for_text_are_put_into_the_text() -> None:
    token = cdk.Fn.import_value("role-arn")

    text = cdk.Stack().resolve(values_as_json({"a": {"role": token, "empty": None}}))

    assert text == {"Fn::Join": ["", ['{"a":{"empty":null,"role":"', {"Fn::ImportValue": "role-arn"}, '"}}']]}


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        pytest.param(cdk.Token.as_number(cdk.Fn.import_value("port")), "number", id="number"),
        pytest.param(cdk.Fn.split(",", cdk.Fn.import_value("names")), "list", id="list"),
    ],
)
def test_other_tokens_are_refused_by_path(token: float | list[str], kind: str) -> None:
    with pytest.raises(ValueError, match=rf"^a\.b: the value is a CDK token that stands for a {kind}"):
        values_as_json({"a": {"b": token}})


def test_a_number_token_deep_in_a_list_is_found() -> None:
    token = cdk.Token.as_number(cdk.Fn.import_value("port"))

    with pytest.raises(ValueError, match=r"^ports\[1\]\.number: "):
        values_as_json({"ports": [80, {"number": token}]})


def test_a_token_as_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a: a key is a CDK token"):
        values_as_json({"a": {cdk.Fn.import_value("name"): 1}})
