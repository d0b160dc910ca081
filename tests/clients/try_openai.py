"""OpenAI's library for Python: the shared cases through images.generate, and files through images.edit."""

from openai import APIStatusError, APITimeoutError, OpenAI

from trial import PNG, Case, Failed, Picture, pictures, run, shared

# What images.generate takes; the fields of Together go beside them.
OWN = {"model", "prompt", "n", "size", "response_format", "output_format"}


def client(base: str) -> OpenAI:
    return OpenAI(base_url=f"{base}/v1", api_key="any")


def send(client: OpenAI, body: dict[str, object], **options: float) -> list[Picture]:
    own = {name: value for name, value in body.items() if name in OWN}
    extra = {name: value for name, value in body.items() if name not in OWN}
    return answer(lambda: client.images.generate(**own, extra_body=extra, **options))


def answer(call) -> list[Picture]:
    try:
        return pictures(call().data)
    except APITimeoutError as error:
        raise Failed("timeout", str(error))
    except APIStatusError as error:
        raise Failed(error.status_code, str(error))


def edit(model: str, image: object, **fields: object):
    return lambda client: answer(lambda: client.images.edit(model=model, prompt="make it night", image=image, **fields))


def twice(client: OpenAI) -> list[Picture]:
    """The same order with the same key: the second is answered with what the first was."""

    def order() -> list[Picture]:
        headers = {"Idempotency-Key": "one-order"}
        return answer(lambda: client.images.generate(model=FLUX2, prompt="a red fox", extra_headers=headers))

    first, second = order(), order()
    if first != second:
        raise Failed("another picture")
    return first + second


def models(client: OpenAI) -> list[Picture]:
    ids = [it.id for it in client.models.list()]
    if "together/flux2-pro" not in ids:
        raise Failed("not listed", str(ids))
    return []


FLUX2, KONTEXT = "black-forest-labs/FLUX.2-pro", "black-forest-labs/FLUX.1-kontext-pro"
PICTURE = ("cat.png", PNG.read_bytes(), "image/png")
# Together has no such path.
NOWHERE = {"status": 404}
ONE, TWO = ["reference_images[0]"], ["reference_images[0]", "reference_images[1]"]

CASES = [
    *shared(send),
    Case(
        "a size is width and height",
        lambda client: send(client, {"model": FLUX2, "prompt": "a red fox", "size": "1024x768"}),
        emulate={"images": [], "fields": ["size"]},
        serve={"images": [], "fields": ["width", "height"]},
    ),
    Case("a file as image", edit(FLUX2, PICTURE), NOWHERE, {"images": ONE, "kinds": ["data_uri"]}, rows=[28]),
    Case("a file as image[]", edit(FLUX2, [PICTURE]), NOWHERE, {"images": ONE, "kinds": ["data_uri"]}, rows=[28]),
    Case("two files as image[]", edit(FLUX2, [PICTURE, PICTURE]), NOWHERE, {"images": TWO}, rows=[28]),
    Case("a file for a model of one image", edit(KONTEXT, [PICTURE]), NOWHERE, {"images": ["image_url"]}, rows=[28]),
    Case(
        "two files for a model of one image",
        edit(KONTEXT, [PICTURE, PICTURE]),
        NOWHERE,
        {"status": 400, "says": ["at most 1 input image", "not 2"]},
        rows=[2, 28],
    ),
    Case(
        "a mask for a model without masks",
        edit(FLUX2, PICTURE, mask=PICTURE),
        NOWHERE,
        {"status": 400, "says": ["mask"]},
        rows=[28],
    ),
    Case("the models are listed", models, emulate=None, serve={"images": [], "count": 0}),
    Case("an order with a key is bought once", twice, emulate=None, serve={"images": [], "count": 2, "paid": 1}),
]

if __name__ == "__main__":
    run(client, CASES, posts=3)
