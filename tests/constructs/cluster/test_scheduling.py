import pytest

from aerodrome_constructs.cluster import SPOT_LABEL, SPOT_TAINT, SYSTEM_LABEL, NodeLabel, NodeTaint


def test_spot_and_system_nodes_are_told_apart_by_one_label() -> None:
    assert SPOT_LABEL.key == SYSTEM_LABEL.key
    assert SPOT_LABEL.value != SYSTEM_LABEL.value


def test_a_label_selects_the_nodes_that_carry_it() -> None:
    assert NodeLabel("team", "ml").selector == {"team": "ml"}


@pytest.mark.parametrize(
    ("on_the_node_group", "on_the_pod"),
    [("NO_SCHEDULE", "NoSchedule"), ("PREFER_NO_SCHEDULE", "PreferNoSchedule"), ("NO_EXECUTE", "NoExecute")],
)
def test_a_pod_tolerates_a_taint_in_kubernetes_spelling(on_the_node_group: str, on_the_pod: str) -> None:
    taint = NodeTaint("team", "ml", on_the_node_group)  # type: ignore[arg-type]  # the parameters are its values
    assert taint.toleration == {"key": "team", "operator": "Equal", "value": "ml", "effect": on_the_pod}


def test_the_spot_taint_keeps_pods_away_rather_than_asking_them() -> None:
    assert SPOT_TAINT.effect == "NO_SCHEDULE"
