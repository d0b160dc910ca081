"""From a request to the body of one offer, by what the catalogue says of its fields."""

from typing import Any

from .generated.catalog import Entry
from .generated.job import ImageRequest
from .violation import Refused, Violation, escaped


def encode(offer: Entry, request: ImageRequest) -> dict[str, Any]:
    """The body that asks an offer for a request.

    Nothing is adapted and nothing is dropped: what the offer has no field for raises `Refused`.
    Limits are not looked at: `violations` does that.
    """
    asked = request.model_dump(mode="json")
    parts = _parts(asked)
    made: dict[str, Any] = {}
    wrong = _kindless(offer, asked)
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
    wrong += [Violation(f"/{part}", "field", message) for part in parts]
    if wrong:
        raise Refused(offer.id, wrong)
    return made


def _kindless(offer: Entry, asked: dict[str, Any]) -> list[Violation]:
    """Bare base64 does not say what kind of picture it is, so the kind is judged before it is lost."""
    rules = offer.model_dump(mode="json").get("rules", [])
    rule = next((it for it in rules if it["rule"] == "image"), None)
    if rule is None or rule["form"] != "base64":
        return []
    heads = tuple(f"data:{it};base64," for it in rule["media_types"])
    named = {f"/images/{index}": it for index, it in enumerate(asked.get("images", []))}
    if "mask" in asked:
        named["/mask"] = asked["mask"]
    message = f"must be {' or '.join(rule['media_types'])}"
    return [
        Violation(place, "image", message)
        for place, image in named.items()
        if image.startswith("data:") and not image.startswith(heads)
    ]


def _parts(asked: dict[str, Any]) -> dict[str, Any]:
    """Everything that a request asks for, by its place in the request."""
    parts = dict(asked)
    if parts.get("size") == "auto":
        del parts["size"]
    for index, image in enumerate(parts.pop("images", [])):
        parts[f"images/{index}"] = image
    for name, value in parts.pop("options", {}).items():
        parts[_option(name)] = value
    return parts


def _option(name: str) -> str:
    """The place of an option, as a JSON Pointer has it."""
    return f"options/{escaped(name)}"


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
            return parts.pop(_option(field["name"]), None)
        case part:
            return parts.pop(part, None)


def _written(image: str | None, field: dict[str, Any]) -> str | None:
    """An address as it is; bytes, which come as a data URI, in the form that the field wants."""
    if image is not None and field.get("form") == "base64" and image.startswith("data:"):
        return image.partition(",")[2]
    return image
