"""From a request to the body of one offer, by what the catalogue says of its fields."""

from typing import Any

from .generated.catalog import Entry
from .generated.job import ImageRequest
from .violation import Refused, Violation


def encode(offer: Entry, request: ImageRequest) -> dict[str, Any]:
    """The body that asks an offer for a request.

    Nothing is adapted and nothing is dropped: what the offer has no field for raises `Refused`.
    Limits are not looked at: `violations` does that.
    """
    asked = request.model_dump(mode="json")
    parts = _parts(asked)
    made: dict[str, Any] = {}
    for field in offer.model_dump(mode="json").get("fields", []):
        value = _held(field, parts, asked)
        if value is None:
            value = field.get("value")
        if value is not None and value != field.get("omit"):
            made[field["name"]] = value
    # What is left has no field. One picture is what every offer makes.
    if parts.get("count") == 1:
        del parts["count"]
    message = "has no field in the body: leave it out, or use another offer"
    if parts:
        raise Refused(offer.id, [Violation(f"/{part}", "field", message) for part in parts])
    return made


def _parts(asked: dict[str, Any]) -> dict[str, Any]:
    """Everything that a request asks for, by its place in the request."""
    parts = dict(asked)
    if parts.get("size") == "auto":
        del parts["size"]
    for index, image in enumerate(parts.pop("images", [])):
        parts[f"images/{index}"] = image
    for name, value in parts.pop("options", {}).items():
        parts[f"options/{name}"] = value
    return parts


def _held(field: dict[str, Any], parts: dict[str, Any], asked: dict[str, Any]) -> Any:
    """What one field holds of a request, taken out of the parts."""
    size = asked.get("size", "auto")
    match field["holds"]:
        case "model":
            return None
        case "image":
            return _written(parts.pop(f"images/{field['index']}", None), field)
        case "images":
            places = range(len(asked.get("images", [])))
            return [_written(parts.pop(f"images/{it}", None), field) for it in places] or None
        case "mask":
            return _written(parts.pop("mask", None), field)
        case "width" | "height" as side:
            if "x" not in size:
                return None
            parts.pop("size", None)
            return int(size.split("x")[0 if side == "width" else 1])
        case "ratio":
            return parts.pop("size") if ":" in size else None
        case "option":
            return parts.pop(f"options/{field['name']}", None)
        case part:
            return parts.pop(part, None)


def _written(image: str | None, field: dict[str, Any]) -> str | None:
    """An address as it is; bytes, which come as a data URI, in the form that the field wants."""
    if image is not None and field.get("form") == "base64" and image.startswith("data:"):
        return image.partition(",")[2]
    return image
