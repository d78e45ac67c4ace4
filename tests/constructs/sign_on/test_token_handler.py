from typing import Any

import pytest

from aerodrome_constructs.sign_on.token_handler import API_VARIABLE
from aerodrome_constructs.sign_on.token_handler.handler import handle


def event(*, scopes: list[str] | None, person: dict[str, Any] | None = None) -> dict[str, Any]:
    """An event as in the Developer Guide, "Pre token generation Lambda trigger"."""
    return {
        "version": "3",
        "triggerSource": "TokenGeneration_HostedAuth" if person else "TokenGeneration_ClientCredentials",
        "userPoolId": "us-east-1_EXAMPLE",
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "1example23456789"},
        "request": {"scopes": scopes, **(person or {})},
        "response": {"claimsAndScopeOverrideDetails": None},
    }


@pytest.fixture(autouse=True)
def _api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(API_VARIABLE, "aerodrome")


def added(answer: dict[str, Any], token: str) -> dict[str, Any]:
    details: dict[str, Any] = answer["response"]["claimsAndScopeOverrideDetails"][f"{token}TokenGeneration"]
    assert details.keys() == {"claimsToAddOrOverride"}
    claims: dict[str, Any] = details["claimsToAddOrOverride"]
    return claims


def test_the_audience_of_an_access_token_is_the_client_that_asked() -> None:
    # The one value that Cognito takes.
    assert added(handle(event(scopes=["aerodrome/all"]), None), "access")["aud"] == "1example23456789"


def test_the_scopes_of_our_api_stand_there_by_their_own_names() -> None:
    answer = handle(event(scopes=["openid", "aerodrome/all", "another/all", "aerodromes/all"]), None)

    assert added(answer, "access")["scp"] == ["all"]


@pytest.mark.parametrize("scopes", [None, [], ["openid", "email"]])
def test_who_did_not_ask_for_the_api_gets_none_of_its_scopes(scopes: list[str] | None) -> None:
    assert added(handle(event(scopes=scopes), None), "access")["scp"] == []


def test_a_persons_groups_are_in_both_tokens() -> None:
    person = {
        "userAttributes": {"sub": "1", "email": "person@example.com"},
        "groupConfiguration": {"groupsToOverride": ["administrators"], "preferredRole": None},
    }
    answer = handle(event(scopes=["openid"], person=person), None)

    assert added(answer, "access")["groups"] == ["administrators"]
    assert added(answer, "access")["email"] == "person@example.com"
    assert added(answer, "id") == {"groups": ["administrators"]}


def test_a_person_in_no_group_has_an_empty_list() -> None:
    person = {"userAttributes": {"email": "person@example.com"}, "groupConfiguration": {}}

    assert added(handle(event(scopes=[], person=person), None), "id") == {"groups": []}


@pytest.mark.parametrize("absent", [{}, {"userAttributes": None, "groupConfiguration": None}])
def test_a_program_has_neither_groups_nor_an_address(absent: dict[str, Any]) -> None:
    answer = handle(event(scopes=["aerodrome/all"], person=absent), None)

    assert added(answer, "access").keys() == {"aud", "scp"}
    assert added(answer, "id") == {}


def test_the_event_comes_back_as_cognito_wants_it() -> None:
    given = event(scopes=[])

    assert handle(given, None) is given
