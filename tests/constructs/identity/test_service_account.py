from aerodrome_constructs.identity import ServiceAccount


def test_the_subject_is_what_the_api_server_writes_into_tokens() -> None:
    assert ServiceAccount("flyte", "flyteadmin").subject == "system:serviceaccount:flyte:flyteadmin"


def test_the_same_name_in_two_namespaces_is_two_identities() -> None:
    assert ServiceAccount("team-a", "default") != ServiceAccount("team-b", "default")
