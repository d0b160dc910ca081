"""Together's library for Python, of its second and its third line: the examples of its guide as they are printed, and the shared cases."""

import together
from together import APIStatusError, APITimeoutError, Together

from trial import Case, Failed, Picture, pictures, run, shared

# The third line adds /v1 to its base address, the second wants it there.
PATH = "" if together.__version__.startswith("3.") else "/v1"


def client(base: str) -> Together:
    return Together(base_url=base + PATH, api_key="any")


def send(client: Together, body: dict[str, object], **options: float) -> list[Picture]:
    return answer(lambda: client.images.generate(**body, **options))


def answer(call) -> list[Picture]:
    try:
        return pictures(call().data)
    except APITimeoutError as error:
        raise Failed("timeout", str(error))
    except APIStatusError as error:
        raise Failed(error.status_code, str(error))


def kontext(client: Together) -> list[Picture]:
    response = client.images.generate(
        model="black-forest-labs/FLUX.1-kontext-pro",
        width=1024,
        height=768,
        prompt="Transform this into a watercolor painting",
        image_url="https://cdn.pixabay.com/photo/2020/05/20/08/27/cat-5195431_1280.jpg",
    )
    return pictures(response.data)


def flux2(client: Together) -> list[Picture]:
    response = client.images.generate(
        model="black-forest-labs/FLUX.2-pro",
        width=1024,
        height=768,
        prompt="Replace the color of the car to blue",
        reference_images=[
            "https://images.pexels.com/photos/3729464/pexels-photo-3729464.jpeg"
        ],
    )
    return pictures(response.data)


def guidance(client: Together) -> list[Picture]:
    # Not among the arguments of the library; its guide sends it so.
    return send(client, {"model": "black-forest-labs/FLUX.2-pro", "prompt": "a red fox", "extra_body": {"prompt_upsampling": False}})


CASES = [
    Case(
        "the guide's example of image_url",
        kontext,
        emulate={"images": ["image_url"], "fields": ["width", "height"]},
        serve={"images": ["image_url"], "fields": ["width", "height"]},
    ),
    Case(
        "the guide's example of reference_images",
        flux2,
        emulate={"images": ["reference_images[0]"], "fields": ["width", "height"]},
        serve={"images": ["reference_images[0]"], "fields": ["width", "height"]},
    ),
    Case(
        "a field that the library does not know",
        guidance,
        emulate={"images": [], "fields": ["prompt_upsampling"]},
        serve={"images": [], "fields": ["prompt_upsampling"]},
    ),
    *shared(send),
]

if __name__ == "__main__":
    run(client, CASES, posts=3)
