"""Writes ``environments/schema.json``, the environment model as a JSON Schema for editors.

Run after a change to the model: ``python -m aerodrome_stacks.environment.schema``. A test fails until that is done.
"""

import json
import sys
from pathlib import Path

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from aerodrome_stacks.environment.model import Environment


class _Untitled(GenerateJsonSchema):
    """A schema without a title for each field: an editor shows the key itself."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - pydantic's signature
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """What may be left out may not be given without a value: ``batch.gpu:`` with nothing behind it is a mistake."""
        return self.generate_inner(schema["schema"])


def schema_text() -> str:
    """Return the schema as it stands in the file: sorted, indented, with a newline at the end."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Environment.model_json_schema(schema_generator=_Untitled),
    }
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the schema, to ``environments/schema.json`` or to the path given as the one argument."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("environments/schema.json")
    path.write_text(schema_text(), encoding="utf-8")
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
