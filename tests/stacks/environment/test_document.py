"""The YAML that an environment is written in: what is read, what is refused, and on which line."""

from pathlib import Path

import pytest

from aerodrome_stacks.environment import InvalidEnvironmentError, load_environment
from aerodrome_stacks.environment.document import DocumentError, parse


def test_plain_scalars_follow_the_core_schema() -> None:
    text = b"""
        numbers: [12, -3, 012, 1.36, 1e3, .5]
        words: [true, False, no, yes, null, ~, ]
        texts: [10.16.0.0/16, 2026-11-21, "12", 'true', 12:30:00, 0x1f, 1_000, .inf, NaN, "", m7i.large]
        empty:
    """
    values, repeated = parse(text)
    assert repeated == ()
    assert values == {
        "numbers": [12, -3, 12, 1.36, 1000.0, 0.5],
        "words": [True, False, "no", "yes", None, None],
        "texts": [
            *("10.16.0.0/16", "2026-11-21", "12", "true", "12:30:00", "0x1f", "1_000", ".inf", "NaN", "", "m7i.large"),
        ],
        "empty": None,
    }


def test_keys_are_text_whatever_they_look_like() -> None:
    assert parse(b"{1: a, true: b, ~: c, 2026-11-21: d}")[0] == {"1": "a", "true": "b", "~": "c", "2026-11-21": "d"}


def test_a_number_that_python_refuses_to_read_is_text() -> None:
    assert parse(b"a: " + b"9" * 5000)[0] == {"a": "9" * 5000}


def test_nested_blocks_and_lists() -> None:
    text = b"a:\n  - b: 1\n    c: [x, {d: 2}]\n  - e\nf: {g: {h: 3}}\n"
    assert parse(text)[0] == {"a": [{"b": 1, "c": ["x", {"d": 2}]}, "e"], "f": {"g": {"h": 3}}}


def test_each_key_that_is_given_twice_is_reported_with_both_lines() -> None:
    _, repeated = parse(b"a: 1\nb:\n  - {c: 1}\n  - c: 1\n    d: 2\n    c: 3\na: 2\na: 3\n")
    assert [str(problem) for problem in repeated] == [
        "b[1].c: given on line 4 and again on line 6; keep one of them",
        "a: given on line 1 and again on line 7; keep one of them",
        "a: given on line 7 and again on line 8; keep one of them",
    ]


def test_a_key_that_is_given_twice_on_one_line_is_reported() -> None:
    assert len(parse(b"{a: 1, a: 2}")[1]) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: 1\nb: \xff\n", "line 2: byte 0xff is not UTF-8; save the file in that encoding"),
        ("a: 1".encode("utf-16"), "line 1: byte 0xff is not UTF-8; save the file in that encoding"),
        (b"a: 1\nb: \x00", "line 2: character U+0000 is not allowed in YAML"),
        (b"a: 1\nb: [1, 2\n", "line 3, column 1: not YAML: expected ',' or ']', but got '<stream end>'"),
        (b"a:\n\tb: 1", "line 2, column 1: not YAML: found character '\\t' that cannot start any token"),
        (b"a: b: c", "line 1, column 5: not YAML: mapping values are not allowed here"),
        (b"a: 'b", "line 1, column 6: not YAML: found unexpected end of stream"),
        (b"a: &it 1\nb: *it", "line 1: &it is an anchor; write the value out wherever it holds"),
        (b"b: *it", "line 1: *it is an alias; write the value itself"),
        (b"a: 1\n<<: {b: 2}", "line 2: << merges another mapping; write its keys out"),
        (b"a: !!binary aGk=", 'line 1: "tag:yaml.org,2002:binary" is a tag; leave it out, the key tells the type'),
        (
            b"!python/name:os.system {}",
            'line 1: "!python/name:os.system" is a tag; leave it out, the key tells the type',
        ),
        (b"a: 1\n---\nb: 2", "line 2: a second document begins; a file holds one environment"),
        (b"? [a]\n: 1", "line 1: a list stands where a key is expected, such as region"),
        (b"[" * 3000, "line 1: nested deeper than 20 levels; an environment has five"),
        (b'a: "\\ud800"', 'line 1: "\\ud800" has half of a pair of characters (U+D800 to U+DFFF)'),
    ],
)
def test_refused(content: bytes, message: str) -> None:
    with pytest.raises(DocumentError) as refused:
        parse(content)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty; an environment begins with account, region and network"),
        (b"# nothing yet\n", "is empty; an environment begins with account, region and network"),
        (b"---\n...\n", "is empty; an environment begins with account, region and network"),
        (
            b"- dev\n",
            (
                "a list stands where a mapping is expected, with the keys account, region, network, cluster, batch, "
                "database, projects, access, retention, backup, flyte, monitoring, images, alerts, costs and "
                "allowed_replacements"
            ),
        ),
        (
            b"dev\n",
            (
                'the text "dev" stands where a mapping is expected, with the keys account, region, network, cluster, '
                "batch, "
                "database, projects, access, retention, backup, flyte, monitoring, images, alerts, costs and "
                "allowed_replacements"
            ),
        ),
        (b"a: [", "line 1, column 5: not YAML: expected the node content, but found '<stream end>'"),
    ],
)
def test_a_file_that_holds_no_environment(tmp_path: Path, content: bytes, problem: str) -> None:
    file = tmp_path / "dev.yaml"
    file.write_bytes(content)
    with pytest.raises(InvalidEnvironmentError) as invalid:
        load_environment("dev", tmp_path)
    assert invalid.value.problems == (f"{file}: {problem}",)


def test_a_repeated_key_comes_with_the_other_problems(tmp_path: Path, environments: Path) -> None:
    text = (environments / "dev.yaml").read_text("utf-8")
    wrong = text.replace("  nat_gateways: 1", "  nat_gateways: 9\n  nat_gateways: 8")
    assert wrong != text
    (tmp_path / "dev.yaml").write_text(wrong, "utf-8")
    with pytest.raises(InvalidEnvironmentError) as invalid:
        load_environment("dev", tmp_path)
    assert invalid.value.problems == (
        f"{tmp_path}/dev.yaml: network.nat_gateways: given on line 9 and again on line 10; keep one of them",
        f"{tmp_path}/dev.yaml: network.nat_gateways: 8 is too large; 3 is the most",
    )


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert parse(b"\xef\xbb\xbfa: 1")[0] == {"a": 1}


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "dev.yaml").mkdir()
    with pytest.raises(InvalidEnvironmentError) as invalid:
        load_environment("dev", tmp_path)
    assert invalid.value.problems == (f"{tmp_path}/dev.yaml: cannot be read: Is a directory",)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("prdo", "did you mean prod? there are dev, prod and staging"),
        ("Dev", "did you mean dev? there are dev, prod and staging"),
        ("environments/prod.yaml", "did you mean prod? there are dev, prod and staging"),
        ("../environments/dev", "did you mean dev? there are dev, prod and staging"),
        ("qa", "there are dev, prod and staging"),
        ("", "there are dev, prod and staging"),
    ],
)
def test_an_unknown_environment(environments: Path, name: str, hint: str) -> None:
    with pytest.raises(InvalidEnvironmentError) as invalid:
        load_environment(name, environments)
    assert invalid.value.problems == (f'{environments}: no environment is called "{name}"; {hint}',)


def test_an_environment_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidEnvironmentError) as empty:
        load_environment("dev", tmp_path)
    assert empty.value.problems == (f'{tmp_path}: no environment is called "dev"; there is no file that ends in .yaml',)
    with pytest.raises(InvalidEnvironmentError) as absent:
        load_environment("dev", tmp_path / "x")
    assert absent.value.problems == (
        f"{tmp_path}/x: no such directory; environments are files such as {tmp_path}/x/dev.yaml",
    )
