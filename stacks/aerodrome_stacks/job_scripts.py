"""Scripts of jobs, as the text that ``python -c`` takes: the image of such a job needs no code of ours."""

import ast
import base64
import bz2
from pathlib import Path

_SCRIPTS = Path(__file__).parents[2] / "workflows" / "aerodrome_workflows"

# Half of what ECS takes of a command (below), so that the other half is for parameters' values.
_READABLE = 4096

_PACKED = """\
# {name} without its comments, packed: in full it would be longer than a command may be.
import base64, bz2
exec(bz2.decompress(base64.b64decode("{packed}")))
"""


def script_command(name: str, *arguments: str) -> list[str]:
    """The command that runs a script, without the script's being in the image.

    AWS Batch puts a job's parameters into its command and, as far as is known, hands the whole of it to ECS as an
    override. ECS takes overrides of 8,192 characters, as JSON
    (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html); beyond that the job is taken and
    fails with ``Container Overrides length must be at most 8192`` (https://github.com/ASFHyP3/hyp3/issues/3041).

    Args:
        name: The file's name in ``workflows/aerodrome_workflows``.
        *arguments: What the script is given.

    Returns:
        The command. The script stands in it without comments and docstrings: to be read in Batch's console where it
        has at most 4,096 characters, compressed where it has more.
    """
    return ["python", "-c", script_text(name, (_SCRIPTS / name).read_text(encoding="utf-8")), *arguments]


def script_text(name: str, source: str) -> str:
    """A script's code as a text that does the same and is short, the same text on every machine.

    Args:
        name: What the file is called, for who reads the text.
        source: What is in it.
    """
    code = _without_docstrings(source)
    if len(code) <= _READABLE:
        return code
    # bz2 has one implementation, where zlib has several, each with an output of its own. The letters of base64 are
    # themselves in JSON, and in commands: no quote, no backslash, no `$`.
    packed = base64.b64encode(bz2.compress(code.encode())).decode()
    return _PACKED.format(name=name, packed=packed)


def _without_docstrings(source: str) -> str:
    module = ast.parse(source)
    for node in ast.walk(module):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node, clean=False)
            if docstring is not None:
                node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(module)
