"""Every offer that repaint knows: `body` for one call, the rest for programs that do more."""

from functools import cache
from importlib.resources import files
from typing import Any

from .bodies import BODIES
from .encode import encode
from .generated.catalog import Catalogue, Entry
from .generated.job import ImageRequest, Job
from .read import read
from .rules import broken
from .violation import Refused, Violation

__all__ = [
    "BODIES",
    "Catalogue",
    "Entry",
    "ImageRequest",
    "Job",
    "Refused",
    "Violation",
    "body",
    "broken",
    "catalogue",
    "encode",
    "offer",
    "read",
    "violations",
]


@cache
def catalogue() -> Catalogue:
    """The catalogue of this package; a newer one is read with `Catalogue.model_validate_json`."""
    return Catalogue.model_validate_json(files(__package__).joinpath("catalog.json").read_bytes())


def offer(id: str) -> Entry:
    """What the catalogue says of an offer: a model at a provider, such as `together/flux2-pro`."""
    for entry in catalogue().models:
        if entry.id == id:
            return entry
    raise KeyError(f"no offer is named {id}; catalogue().models lists them")


def body(id: str, request: ImageRequest) -> dict[str, Any]:
    """The whole body that asks an offer for a request, as its provider takes it.

    Raises `Refused` with all reasons. The models of `BODIES` are what to write by hand instead.
    """
    entry = offer(id)
    made = encode(entry, request)
    if wrong := violations(entry, made):
        raise Refused(id, wrong)
    return made


def violations(entry: Entry, made: object) -> list[Violation]:
    """All that is wrong with a body; nothing if the offer takes it."""
    _, wrong = read(BODIES[entry.id], made)
    # A rule reads fields whose types the schema has judged.
    if wrong or not isinstance(made, dict):
        return wrong
    return broken(entry, made)
