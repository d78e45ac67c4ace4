"""How a domain type checks its text: against a pattern, or against a list of names."""

import re
from dataclasses import dataclass

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from aerodrome_stacks.environment.wording import nearest, show


def refusal(sentence: str) -> PydanticCustomError:
    """Return the error with which a type or a rule of ours refuses a value; its sentence is printed as it is."""
    return PydanticCustomError("aerodrome", "{sentence}", {"sentence": sentence})


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Text of one form.

    Attributes:
        pattern: Regular expression for the whole text, in the dialect that Python and JSON Schema share.
        form: What the text is and how it looks, completing "... is not".
        longest: Most characters.
        shown: Whether an error shows the text. Not where somebody may have put a secret.
    """

    pattern: str
    form: str
    longest: int
    shown: bool = True

    def __get_pydantic_core_schema__(self, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$", "maxLength": self.longest}

    def _checked(self, text: str) -> str:
        given = show(text) if self.shown else "what is given"
        if len(text) > self.longest:
            raise refusal(f"{given} has {len(text)} characters; at most {self.longest} are allowed")
        if not re.fullmatch(self.pattern, text):
            raise refusal(f"{given} is not {self.form}")
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf:
    """One of many known names, too many to list in a message.

    Attributes:
        names: The names.
        form: What they are, completing "... is not".
    """

    names: tuple[str, ...]
    form: str

    def __get_pydantic_core_schema__(self, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "enum": list(self.names)}

    def _checked(self, text: str) -> str:
        if text not in self.names:
            meant = nearest(text, self.names)
            hint = f"did you mean {meant}?" if meant else f"such as {self.names[0]}"
            raise refusal(f"{show(text)} is not {self.form}; {hint}")
        return text
