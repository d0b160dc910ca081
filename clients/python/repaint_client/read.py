"""Reads a JSON value as JSON Schema means it, which is not quite how pydantic does by default."""

import json
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from .violation import Violation

Model = TypeVar("Model")


def read(model: TypeAdapter[Model], value: object) -> tuple[Model | None, list[Violation]]:
    """The model of a JSON value, or what is wrong with it.

    Strict, since pydantic would read `"3"` and `true` as numbers; but `1024.0` is a whole number to JSON.
    """
    text = json.dumps(_plain(value), ensure_ascii=False)
    try:
        return model.validate_json(text, strict=True), []
    except ValidationError as error:
        return None, [
            Violation("".join(f"/{it}" for it in one["loc"]), one["type"], one["msg"])
            for one in error.errors(include_url=False, include_input=False)
        ]


def _plain(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_plain(it) for it in value]
        case dict():
            return {name: _plain(it) for name, it in value.items()}
    return value
