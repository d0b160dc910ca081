"""The named rules of the catalogue: what JSON Schema cannot say of a body.

Their meaning stands in catalog.schema.json.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import MISSING

from .generated.catalog import (
    BodyRuleImage,
    BodyRuleListedPixels,
    BodyRulePixels,
    BodyRuleRatio,
    BodyRuleTexts,
    Entry,
)
from .violation import Violation

Body = Mapping[str, Any]
Rule = BodyRuleImage | BodyRuleListedPixels | BodyRulePixels | BodyRuleRatio | BodyRuleTexts


def broken(offer: Entry, body: Body) -> list[Violation]:
    """What a body does against the rules. A value that its schema refuses is left to the schema."""
    rules = [] if offer.rules is MISSING else offer.rules
    return [it for rule in rules for it in _check(rule, body)]


def _check(rule: Rule, body: Body) -> Iterator[Violation]:
    match rule:
        case BodyRulePixels():
            return _pixels(rule, body)
        case BodyRuleListedPixels():
            return _listed_pixels(rule, body)
        case BodyRuleRatio():
            return _ratio(rule, body)
        case BodyRuleImage():
            return _image(rule, body)
        case BodyRuleTexts():
            return _texts(rule, body)


def _pixels(rule: BodyRulePixels, body: Body) -> Iterator[Violation]:
    match _sides(rule, body):
        case Violation() as alone:
            yield alone
        case (width, height) if not rule.min_area <= width * height <= rule.max_area:
            within = f"{rule.min_area} to {rule.max_area}"
            yield _against(rule, rule.width, f"makes {width * height} pixels, not {within}")


def _listed_pixels(rule: BodyRuleListedPixels, body: Body) -> Iterator[Violation]:
    match _sides(rule, body):
        case Violation() as alone:
            yield alone
        case (width, height) if f"{width:.0f}x{height:.0f}" not in rule.sizes:
            yield _against(rule, rule.width, f"makes {width}x{height}, which is not listed")


def _sides(
    rule: BodyRulePixels | BodyRuleListedPixels, body: Body
) -> tuple[float, float] | Violation | None:
    """Both sides, or what is wrong with one alone, or nothing where there is none to judge."""
    names = (rule.width, rule.height)
    missing = [it for it in names if it not in body]
    if len(missing) == 1:
        return _against(rule, missing[0], "is missing beside the other side")
    if missing or not all(isinstance(body[it], int | float) for it in names):
        return None
    return body[rule.width], body[rule.height]


def _ratio(rule: BodyRuleRatio, body: Body) -> Iterator[Violation]:
    text = body.get(rule.field)
    found = _RATIO.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return
    width, height = int(found[1]), int(found[2])
    tall_width, tall_height = map(int, rule.tallest.split(":"))
    flat_width, flat_height = map(int, rule.flattest.split(":"))
    if tall_width * height > width * tall_height or width * flat_height > flat_width * height:
        message = f"must be from {rule.tallest} to {rule.flattest}"
        yield _against(rule, rule.field, message)


def _image(rule: BodyRuleImage, body: Body) -> Iterator[Violation]:
    for name in rule.fields:
        value = body.get(name)
        listed = isinstance(value, list)
        for index, image in enumerate(value if isinstance(value, list) else [value]):
            place = f"{name}/{index}" if listed else name
            if isinstance(image, str) and (wrong := _unreadable(rule, image)):
                yield _against(rule, place, wrong)


def _unreadable(rule: BodyRuleImage, text: str) -> str | None:
    if text.startswith(("http://", "https://")):
        if not rule.url:
            return "must not be an address"
        readable = _ADDRESS.match(text) and _BLANK.search(text) is None
        return None if readable else "is an address that cannot be read"
    if not rule.media_types:
        return "must be an address"
    if rule.form == "data_uri":
        heads = (f"data:{it};base64," for it in rule.media_types)
        head = next((it for it in heads if text.startswith(it)), None)
        if head is None:
            return f"must be an address or a data URI of {', '.join(rule.media_types)}"
        text = text[len(head) :]
    if len(text) % 4 != 0 or _BASE64.fullmatch(text) is None:
        return "is not base64 with padding"
    size = len(text) // 4 * 3 - text[-2:].count("=")
    if size > rule.max_bytes:
        return f"stands for {size} bytes, more than {rule.max_bytes}"
    return None


def _texts(rule: BodyRuleTexts, body: Body) -> Iterator[Violation]:
    size = sum(_bytes_of_texts(it) for it in body.values())
    if size > rule.max_bytes:
        message = f"has texts of {size} bytes together, more than {rule.max_bytes}"
        yield Violation("", rule.rule, message)


def _bytes_of_texts(value: Any) -> int:
    match value:
        case str():
            return len(value) if value.isascii() else len(value.encode())
        case list():
            return sum(map(_bytes_of_texts, value))
        case dict():
            return sum(map(_bytes_of_texts, value.values()))
    return 0


def _against(rule: Rule, place: str, message: str) -> Violation:
    return Violation(f"/{place}", rule.rule, message)


_ADDRESS = re.compile(r"https?://[^/?#]")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_BLANK = re.compile(r"[\x00-\x20]")
_RATIO = re.compile(r"([1-9][0-9]{0,3}):([1-9][0-9]{0,3})")
