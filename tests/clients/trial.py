"""Tries a library for Python against a server: what comes back, and what the emulator behind it saw.

    python try_NAME.py --as emulate sound=http://127.0.0.1:PORT slow=http://…
    python try_NAME.py --as serve sound=http://GATEWAY,http://EMULATOR …

`emulate` is a provider alone, which ignores what it does not know; `serve` is the gateway before it, which makes it true.
A server has a name for what befalls the orders there; cases of servers that are not given are not run, and are counted.
"""

import base64
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

PNG = Path(__file__).with_name("picture.png")
PNG_URI = "data:image/png;base64," + base64.b64encode(PNG.read_bytes()).decode()
# What the pictures begin with, by their media types.
MAGIC = {"image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG\r\n\x1a\n"}


@dataclass(frozen=True)
class Failed(Exception):
    """An error as the library tells it."""

    status: int | str
    """That of HTTP, or `timeout`."""
    message: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture as the library hands it over."""

    kind: str
    """`url` or `b64_json`; `bytes` if the library does not tell."""
    data: bytes


@dataclass(frozen=True)
class Case:
    """A line of the table. An outcome is what cases.json has under `emulate` and `serve`; None means that the case is not for it."""

    name: str
    send: Callable[[Any], list[Picture]]
    emulate: dict[str, Any] | None
    serve: dict[str, Any] | None
    at: str = "sound"
    rows: list[int] = field(default_factory=list)


def shared(send: Callable[..., list[Picture]], without: dict[str, str] = {}) -> list[Case]:
    """The cases of cases.json through a library: `send(client, body, **{timeout})`. Those of `without` it cannot send: a reason each."""
    text = Path(__file__).with_name("cases.json").read_text().replace("$PNG", PNG_URI)
    rows = {case["name"]: case for case in json.loads(text)}
    if unknown := without.keys() - rows.keys():
        raise KeyError(f"cases.json has no case that is called {unknown}")

    def case(row: dict[str, Any]) -> Case:
        options = {"timeout": row["timeout"]} if "timeout" in row else {}
        return Case(
            name=row["name"],
            send=lambda client: send(client, row["body"], **options),
            emulate=row["emulate"],
            serve=row["serve"],
            at=row.get("at", "sound"),
            rows=row["rows"],
        )

    return [case(row) for name, row in rows.items() if name not in without]


def pictures(data: Any) -> list[Picture]:
    """The pictures of an answer in the form of OpenAI and Together, those with an address downloaded."""
    found = []
    for item in data:
        # Together's library has a class for each kind, OpenAI's has one with both.
        if (text := getattr(item, "b64_json", None)) is not None:
            found.append(Picture("b64_json", base64.b64decode(text, validate=True)))
        else:
            found.append(Picture("url", urlopen(Request(item.url, headers={"user-agent": "trial"})).read()))
    return found


def run(client: Callable[[str], Any], cases: list[Case], posts: int, workers: int | None = None) -> None:
    """Runs the table, and ends the program.

    `client` is made for a base address without /v1; `posts` is how often the library posts what fails for a while. A library that
    can be pointed at only one server at a time has one of the `workers`.
    """
    words = sys.argv[1:]
    if len(words) < 3 or words[0] != "--as" or words[1] not in ("emulate", "serve"):
        sys.exit("usage: --as emulate|serve NAME=BASE[,EMULATOR]…")
    mode = words[1]
    servers = dict(word.split("=", 1) for word in words[2:])
    wanted = [case for case in cases if getattr(case, mode) is not None]
    left = [case for case in wanted if case.at not in servers]

    def serve(name: str) -> list[str]:
        base, _, emulator = servers[name].partition(",")
        mine = client(base)
        here = [case for case in wanted if case.at == name]
        return [wrong for case in here if (wrong := tried(case, mine, getattr(case, mode), base, emulator or base, posts))]

    # A server has a log of its own, so that one may be tried beside the other.
    with ThreadPoolExecutor(workers) as pool:
        wrong = [line for lines in pool.map(serve, servers) for line in lines]
    for line in wrong:
        print(line)
    print(f"{len(wanted) - len(left) - len(wrong)} cases as {mode}" + (f", {len(left)} without a server" if left else ""))
    sys.exit(1 if wrong or len(wanted) == len(left) else 0)


def tried(case: Case, client: Any, outcome: dict[str, Any], base: str, emulator: str, posts: int) -> str | None:
    """What is wrong, if anything is."""
    log = f"{emulator}/__emulator/requests"
    urlopen(Request(log, method="DELETE")).read()
    try:
        got: list[Picture] | Failed = case.send(client)
    except Failed as failed:
        got = failed
    except Exception:
        return f"{case.name}: the library fails by itself:\n{traceback.format_exc(limit=-3)}"
    wrong = list(differences(outcome, got, json.load(urlopen(log)), posts))
    # What a library gave up may still be on its way.
    patience = 50 if outcome.get("status") == "timeout" else 0
    while wrong and 0 < patience:
        patience -= 1
        time.sleep(0.1)
        wrong = list(differences(outcome, got, json.load(urlopen(log)), posts))
    if "adapted" in outcome and not wrong:
        wrong = list(untold(base, outcome["adapted"]))
    return f"{case.name} (rows {case.rows}): {'; '.join(wrong)}" if wrong else None


def differences(outcome: dict[str, Any], got: list[Picture] | Failed, seen: dict[str, Any], posts: int) -> Iterator[str]:
    """Each way in which what happened is not what the table says."""
    unknown = outcome.keys() - {"status", "says", "images", "kinds", "fields", "type", "as", "count", "posts", "paid", "adapted"}
    if unknown:
        yield f"the table says {unknown}, which nothing looks at"
    bad = "status" in outcome
    orders = [it for it in seen["requests"] if it["stage"] == "order"]
    taken = [it for it in orders if it["taken"]]
    if bad and not isinstance(got, Failed):
        yield f"no error, but {len(got)} pictures"
    elif isinstance(got, Failed):
        if got.status != outcome.get("status"):
            yield f"failed with {got.status}, not {outcome.get('status')}: {got.message}"
        for words in outcome.get("says", []):
            if words not in got.message:
                yield f"`{words}` is not in: {got.message}"
    else:
        count = outcome.get("count", 1)
        if len(got) != count:
            yield f"{len(got)} pictures, not {count}"
        for picture in got:
            if not picture.data.startswith(MAGIC[outcome.get("type", "image/jpeg")]):
                yield f"the picture begins with {picture.data[:8]!r}"
            if "as" in outcome and picture.kind not in (outcome["as"], "bytes"):
                yield f"the picture comes as {picture.kind}"
    for name, default, found in (("paid", 0 if bad else outcome.get("count", 1), len(taken)), ("posts", None, len(orders))):
        expected = outcome.get(name, default)
        if expected is not None and found != (posts if expected == "each" else expected):
            yield f"{name} {found}, not {expected}: {orders}"
    if not bad and taken:
        images = [it["field"] for it in taken[-1]["images"]]
        if images != outcome["images"]:
            yield f"images {images}, not {outcome['images']}"
        kinds = [it["kind"] for it in taken[-1]["images"]]
        if "kinds" in outcome and kinds != outcome["kinds"]:
            yield f"kinds {kinds}, not {outcome['kinds']}"
        if lost := set(outcome.get("fields", [])) - set(taken[-1]["fields"]):
            yield f"{lost} did not arrive, but {taken[-1]['fields']}"


def untold(base: str, adapted: list[str]) -> Iterator[str]:
    """Whether the receipt of the last job at a gateway says that the images were moved from one field to another."""
    job = json.load(urlopen(f"{base}/v1/jobs?limit=1"))["data"][0]
    told = [[it["from"], it["to"]] for it in job["receipt"]["adaptations"]]
    if adapted not in told:
        yield f"the receipt tells of {told}, not of {adapted}"
