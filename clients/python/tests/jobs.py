"""Whether the bodies of this package are those of the library: python jobs.py JOBS"""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from repaint_client import Job, Refused, body


def made(offer: str, job: Any) -> Any:
    try:
        return body(offer, Job.model_validate_json(json.dumps(job)).request)
    except (Refused, ValidationError) as error:
        return str(error)


def main(jobs: Path) -> int:
    offers: set[str] = set()
    seen = wrong = 0
    with jobs.open(encoding="utf-8") as lines:
        for text in lines:
            line = json.loads(text)
            seen += 1
            offers.add(line["offer"])
            if (ours := made(line["offer"], line["job"])) != line["body"]:
                wrong += 1
                print(json.dumps({"made": ours, **line}, ensure_ascii=False))
    print(f"{seen} jobs for {len(offers)} offers; {wrong} bodies differ")
    return 0 if seen and not wrong else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
