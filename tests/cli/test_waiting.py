"""What a command shows while it waits: something that moves, a line where nothing can move, and nothing in a log."""

import pytest

from aerodrome.waiting import waiting


@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        ({"TTY_COMPATIBLE": "0"}, ""),
        ({"TTY_COMPATIBLE": "1", "TERM": "dumb"}, "loading team[0]\n"),
    ],
    ids=["log", "terminal without a cursor"],
)
def test_what_cannot_move(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variables: dict[str, str], shown: str
) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with waiting("loading team[0]"):
        assert capsys.readouterr() == ("", shown)


def test_a_terminal_shows_it_until_it_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"TTY_COMPATIBLE": "1", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    with waiting("loading team[0]"):
        pass
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "loading team[0]" in shown.err
    assert shown.err.endswith("\x1b[2K"), "the line goes when it is no longer true"
