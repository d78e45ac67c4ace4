"""The tool that finds promtool, and what it does where there is none."""

from pathlib import Path

import pytest

from promtool import NoPromtoolError, main, promtool


def program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder that programs are looked for in."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


# A package holds what dpkg-deb would write; apt-get brings it if its lists, which `update` makes, are there.
APT_GET = """
case "$*" in
  *update*) for word in "$@"; do case "$word" in Dir::State::Lists=*) echo > "${word#*=}/made";; esac; done;;
  *download*)
    for word in "$@"; do case "$word" in Dir::State::Lists=*) [ -f "${word#*=}/made" ] && ready=1;; esac; done
    [ -n "$ready$HAS_LISTS" ] || { echo 'E: Unable to locate package prometheus' >&2; exit 100; }
    echo > prometheus_2.42.0_amd64.deb;;
esac
"""
DPKG_DEB = '/bin/mkdir -p "$3/usr/bin" && printf "#!/bin/sh\\necho promtool\\n" > "$3/usr/bin/promtool"'


def test_the_one_on_the_path_is_taken(path: Path, tmp_path: Path) -> None:
    found = program(path, "promtool", "echo mine")

    assert promtool(tmp_path / "home") == found
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("lists", ["", "1"], ids=["without lists of packages", "with lists of packages"])
def test_it_is_unpacked_from_the_package_once(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lists: str
) -> None:
    monkeypatch.setenv("HAS_LISTS", lists)
    program(path, "apt-get", APT_GET)
    program(path, "dpkg-deb", DPKG_DEB)
    home = tmp_path / "home"

    found = promtool(home)

    assert found == home / "usr" / "bin" / "promtool"
    assert "echo promtool" in found.read_text(encoding="utf-8")
    # What it came in is gone.
    assert [file.name for file in home.iterdir()] == ["usr"]
    program(path, "apt-get", "exit 1")
    assert promtool(home) == found


def test_without_apt_the_reader_is_told_where_to_get_it(path: Path, tmp_path: Path) -> None:
    assert list(path.iterdir()) == []

    with pytest.raises(NoPromtoolError, match=r"without apt-get .* put promtool .* on the PATH"):
        promtool(tmp_path / "home")


def test_what_apt_says_is_passed_on(path: Path, tmp_path: Path) -> None:
    program(path, "apt-get", "echo 'E: no network' >&2; exit 100")
    program(path, "dpkg-deb", DPKG_DEB)

    with pytest.raises(NoPromtoolError, match="E: no network"):
        promtool(tmp_path / "home")


def test_the_program_ends_with_a_line_and_no_traceback(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program(path, "promtool", "exit 0")
    assert main() == 0
    assert capsys.readouterr().out == f"{path / 'promtool'}\n"

    def refuse() -> Path:
        raise NoPromtoolError("there is none")

    monkeypatch.setattr("promtool.promtool", refuse)
    assert main() == 1
    assert capsys.readouterr().err == "aerodrome: there is none\n"
