"""Reads a JSON value as JSON Schema means it, which is not quite how pydantic does by default."""

import json
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from .violation import Violation, escaped

Model = TypeVar("Model")


def read(model: TypeAdapter[Model], value: object) -> tuple[Model | None, list[Violation]]:
    """The model of a JSON value, or what is wrong with it.

    Strict, since pydantic would read `"3"` and `true` as numbers; but `1024.0` is a whole number to JSON.
    """
    try:
        text = json.dumps(_plain(value), ensure_ascii=False)
        return model.validate_json(text, strict=True), []
    except ValidationError as error:
        return None, [
            Violation(_pointer(value, one["loc"]), one["type"], one["msg"])
            for one in error.errors(include_url=False, include_input=False)
        ]
    except RecursionError:
        return None, [Violation("", "recursion", "is nested too deeply")]
    except ValueError:
        # Python writes no whole number of more than 4300 digits.
        return None, [Violation("", "value_error", "has a number beyond all limits")]


def _pointer(value: object, places: tuple[int | str, ...]) -> str:
    """A JSON Pointer: pydantic also names the arm of a union, which is no place in the value."""
    pointer = ""
    for place in places:
        match value, place:
            case dict(), str() if place in value:
                value = value[place]
            case list(), int() if place < len(value):
                value = value[place]
            case _, str() if place is not places[-1] or place[:1].isupper():
                continue
        pointer += f"/{escaped(str(place))}"
    return pointer


def _plain(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_plain(it) for it in value]
        case dict():
            return {name: _plain(it) for name, it in value.items()}
    return value
