"""What is wrong with a job or a body."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """One thing that is wrong, where, and by which rule."""

    pointer: str
    """A JSON Pointer into what was judged; empty for the whole."""
    rule: str
    """A type of pydantic's error, a named rule of the catalogue, or `field` for what has no field."""
    message: str
    """What it asks."""

    def __str__(self) -> str:
        return f"{self.pointer} {self.message}".strip()


class Refused(ValueError):
    """An offer does not take what was asked of it. Nothing was dropped or changed to make it fit."""

    def __init__(self, offer: str, violations: Sequence[Violation]) -> None:
        super().__init__(f"{offer} does not take it: {'; '.join(map(str, violations))}")
        self.offer = offer
        self.violations = tuple(violations)


def escaped(name: str) -> str:
    """A name as a JSON Pointer has it."""
    return name.replace("~", "~0").replace("/", "~1")
