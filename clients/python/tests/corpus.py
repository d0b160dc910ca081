"""The verdicts of jsonschema, pydantic and the rules on generated bodies and jobs: python corpus.py CORPUS SCHEMAS"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend
from pydantic import TypeAdapter

from repaint_client import BODIES, Job, offer, read, violations

JOB = TypeAdapter(Job)


def pattern(_: Any, pattern: str, text: Any, __: Any) -> Iterator[ValidationError]:
    """`$` is the end of the text in JSON Schema; in Python it also stands before a last newline."""
    if isinstance(text, str) and re.search(re.sub(r"\$$", r"\\Z", pattern), text) is None:
        yield ValidationError(f"is not of the form {pattern}")


Validator = extend(Draft202012Validator, {"pattern": pattern})  # type: ignore[no-untyped-call]


def main(corpus: Path, schemas: Path) -> int:
    validators: dict[str, Any] = {}
    seen = valid = wrong = 0
    with corpus.open(encoding="utf-8") as lines:
        for text in lines:
            line = json.loads(text)
            if line["schema"] not in validators:
                schema = json.loads((schemas / line["schema"]).read_text(encoding="utf-8"))
                validators[line["schema"]] = Validator(schema)
            body = line["body"]
            of = line["offer"]
            _, against = read(BODIES[of] if of else JOB, body)
            verdicts = {
                "jsonschema": validators[line["schema"]].is_valid(body) == line["schema_valid"],
                "pydantic": (not against) == line["schema_valid"],
                "rules": not of or (not violations(offer(of), body)) == line["valid"],
            }
            seen += 1
            valid += line["valid"]
            if disagrees := [name for name, agrees in verdicts.items() if not agrees]:
                wrong += 1
                print(json.dumps({"disagrees": disagrees, **line}, ensure_ascii=False))
    print(f"{seen} values, {valid} valid; jsonschema, pydantic and the rules disagree on {wrong}")
    return 0 if seen and not wrong else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
