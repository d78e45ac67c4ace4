"""The JSON schema of a chart's values, small enough to live in ``tests/charts/values_schemas/``.

Helm holds what a chart's own values and ours come to together against the chart's ``values.schema.json``, in the Lambda
function of the cluster, when it is too late. The tests hold ours alone against it: so prose is dropped, and what only
the chart's own values together with ours can tell (``required``, ``if``, ``not``). Where the chart is, a render holds
all of them against all of it.

    .venv/bin/python tools/values_schema.py CHART_FOLDER > tests/charts/values_schemas/CHART.json
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PROSE = frozenset({"$comment", "default", "deprecated", "description", "examples", "markdownDescription", "title"})
_OF_ALL_VALUES = frozenset({"if", "then", "else", "not"})


def schema_of_ours(schema: Any) -> Any:  # noqa: ANN401 - any part of a JSON schema
    """A schema without prose, and without what the chart's own values would have to be there for."""
    if isinstance(schema, list):
        return [schema_of_ours(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        # A map of properties has the user's keys, "description" and "required" among them.
        key: {name: schema_of_ours(part) for name, part in value.items()}
        if key in {"properties", "patternProperties", "definitions", "$defs"}
        else schema_of_ours(value)
        for key, value in schema.items()
        if key not in _PROSE | _OF_ALL_VALUES and not (key == "required" and isinstance(value, list))
    }


def _main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    file = Path(arguments[0]) / "values.schema.json"
    if not file.is_file():
        print(f"{file}: no such file; not every chart has one", file=sys.stderr)
        return 2
    print(json.dumps(schema_of_ours(json.loads(file.read_text(encoding="utf-8"))), indent=1, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
