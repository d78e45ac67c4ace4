"""Works out what a template says about itself: conditions, defaults of parameters, mappings, joined text.

CloudFormation compares values after it has worked them out, and so does a plan: ``Fn::Join`` of two words and the word
that they make are no change. What only a deployed stack knows stays as it is written.
"""

from collections.abc import Callable, Mapping
from typing import Any

from aerodrome.plan.paths import is_function

_ABSENT = object()


class Evaluation:
    """Works out values of one template.

    Args:
        template: The template.
        account: The account that it is deployed to.
        region: The region.
        stack_name: The stack's name.
    """

    def __init__(self, template: Mapping[str, Any], *, account: str, region: str, stack_name: str) -> None:
        self._conditions: Mapping[str, Any] = template.get("Conditions", {})
        self._mappings: Mapping[str, Any] = template.get("Mappings", {})
        self._known: dict[str, Any] = {
            "AWS::AccountId": account,
            "AWS::Region": region,
            "AWS::StackName": stack_name,
            "AWS::NoValue": _ABSENT,
            **{
                name: parameter["Default"]
                for name, parameter in template.get("Parameters", {}).items()
                # The default of an SSM parameter is where its value is; that of a secret is nobody's to read.
                if "Default" in parameter
                and not parameter["Type"].startswith("AWS::SSM::")
                and not parameter.get("NoEcho")
            },
        }
        self._functions: Mapping[str, Callable[[Any], Any]] = {
            "Ref": lambda name: self._known.get(name, {"Ref": name}),
            "Fn::If": self._if,
            "Fn::FindInMap": self._find_in_map,
            "Fn::Join": self._join,
            "Fn::Sub": self._sub,
        }

    def holds(self, condition: str | None) -> bool | None:
        """Whether a named condition holds; without a name, it does. None: only the deployed stack knows."""
        return True if condition is None else self._truth(self._conditions.get(condition))

    def resolve(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """A value with everything worked out that the template alone decides."""
        resolved = self._resolve(value)
        return None if resolved is _ABSENT else resolved

    def _resolve(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        if isinstance(value, Mapping):
            if is_function(value):
                name, argument = next(iter(value.items()))
                function = self._functions.get(name)
                return function(argument) if function else {name: self._resolve(argument)}
            items = {key: self._resolve(item) for key, item in value.items()}
            return {key: item for key, item in items.items() if item is not _ABSENT}
        if isinstance(value, list):
            return [item for item in map(self._resolve, value) if item is not _ABSENT]
        return value

    def _if(self, argument: list[Any]) -> Any:  # noqa: ANN401 - any JSON value
        condition, then, otherwise = argument
        holds = self.holds(condition)
        if holds is None:
            return {"Fn::If": [condition, self.resolve(then), self.resolve(otherwise)]}
        return self._resolve(then if holds else otherwise)

    def _find_in_map(self, argument: list[Any]) -> Any:  # noqa: ANN401 - any JSON value
        keys = self._resolve(argument)
        found: Any = self._mappings
        for key in keys:
            if not isinstance(key, str) or not isinstance(found, Mapping) or key not in found:
                return {"Fn::FindInMap": keys}
            found = found[key]
        return found

    def _join(self, argument: list[Any]) -> Any:  # noqa: ANN401 - any JSON value
        separator, parts = self._resolve(argument)
        if not isinstance(parts, list) or any(isinstance(part, (Mapping, list)) for part in parts):
            return {"Fn::Join": [separator, parts]}
        return separator.join(map(str, parts))

    def _sub(self, argument: Any) -> Any:  # noqa: ANN401 - text, or text and variables
        text, variables = argument if isinstance(argument, list) else (argument, {})
        known = self._known | self._resolve(variables)
        for name, value in known.items():
            if isinstance(value, (str, int)):
                text = text.replace(f"${{{name}}}", str(value))
        if "${" not in text:
            return text
        left = {name: value for name, value in known.items() if name in variables and f"${{{name}}}" in text}
        return {"Fn::Sub": [text, left] if left else text}

    def _truth(self, condition: Any) -> bool | None:  # noqa: ANN401 - a condition, or what it compares
        if not isinstance(condition, Mapping) or len(condition) != 1:
            return None
        name, argument = next(iter(condition.items()))
        if name == "Condition":
            return self.holds(argument)
        if name == "Fn::Equals":
            one, other = self._resolve(argument)
            return None if is_function(one) or is_function(other) else one == other
        if name not in {"Fn::Not", "Fn::And", "Fn::Or"}:
            return None
        truths = [self._truth(item) for item in argument]
        if name == "Fn::Not":
            return None if truths[0] is None else not truths[0]
        decisive = name == "Fn::Or"
        return decisive if decisive in truths else None if None in truths else not decisive
