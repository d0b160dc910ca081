"""Prints the body that asks an offer for a picture: python -m repaint_client.print_body OFFER PROMPT [IMAGE…]"""

import json
import sys

from pydantic import ValidationError

from . import BODIES, ImageRequest, Job, Refused, body


def main(words: list[str]) -> int:
    if len(words) < 2 or words[0] not in BODIES:
        print("usage: print_body OFFER PROMPT [IMAGE…], with an offer that has a body", file=sys.stderr)
        return 2
    offer, prompt, *images = words
    try:
        job = Job(select=[offer], request=ImageRequest(prompt=prompt, images=images))
        print(json.dumps(body(offer, job.request), ensure_ascii=False, indent=2))
    except (Refused, ValidationError) as error:
        print(error, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
