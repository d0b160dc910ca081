"""The package of clients/python: one request for every offer at Together, in the body that it takes, through a server."""

import json
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from repaint_client import BODIES, ImageRequest, Refused, body, offer

from trial import PNG_URI, Case, Failed, Picture, pictures, run


def edit(offer: str, images: list[str]):
    """A picture out of others: this is all that a program needs."""

    def send(base: str) -> list[Picture]:
        try:
            made = body(offer, ImageRequest(prompt="make it night", images=images))
        except Refused as refused:
            raise Failed("refused", str(refused))
        headers = {"content-type": "application/json", "authorization": "Bearer any"}
        request = Request(f"{base}/v1/images/generations", json.dumps(made).encode(), headers)
        try:
            answer = json.load(urlopen(request), object_hook=lambda it: SimpleNamespace(**it))
        except HTTPError as error:
            raise Failed(error.code, error.read().decode())
        return pictures(answer.data)

    return send


def case(id: str) -> Case:
    most = offer(id).accepts.images.value.max
    images = [PNG_URI, "https://images.example/car.jpg"][:most]
    fields = {0: [], 1: ["image_url"]}.get(most, ["reference_images[0]", "reference_images[1]"])
    outcome = {"images": fields}
    return Case(f"{len(images)} images for {id}", edit(id, images), outcome, outcome)


REFUSED = {"status": "refused", "posts": 0}

CASES = [
    *(case(id) for id in BODIES if id.startswith("together/")),
    Case("two images for Kontext", edit("together/kontext-pro", [PNG_URI, PNG_URI]), REFUSED, REFUSED, rows=[2]),
]

if __name__ == "__main__":
    run(lambda base: base, CASES, posts=1)
