"""The provider `together` of Hugging Face's library: image_to_image with an address and with a file."""

import io

from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError, InferenceTimeoutError
from huggingface_hub.hf_api import InferenceProviderMapping
from huggingface_hub.inference import _providers

from trial import PNG, Case, Failed, Picture, run

KONTEXT, FLUX2, DEV = (
    f"black-forest-labs/FLUX.{name}" for name in ("1-kontext-pro", "2-pro", "2-dev")
)
GEMINI = "google/gemini-3-pro-image"
CAT, CAR = "https://images.example/cat.jpg", "https://images.example/car.jpg"
TASK = _providers.PROVIDERS["together"]["image-to-image"]

# Which name a model has there, the library would ask the hub.
_providers._common.HARDCODED_MODEL_INFERENCE_MAPPING["together"] = {
    model: InferenceProviderMapping(
        provider="together", hf_model_id=model, providerId=model, status="live", task="image-to-image"
    )
    for model in (KONTEXT, FLUX2, DEV, GEMINI)
}


def client(base: str) -> str:
    # No argument and no variable says where a provider is.
    TASK.base_url = base
    return base


def edit(model: str, image: object, timeout: float | None = None, **fields: object):
    def send(_: str) -> list[Picture]:
        client = InferenceClient(provider="together", api_key="any", timeout=timeout)
        try:
            picture = client.image_to_image(image, prompt="make it night", model=model, **fields)
        except InferenceTimeoutError as error:
            raise Failed("timeout", str(error))
        except HfHubHTTPError as error:
            raise Failed(error.response.status_code, f"{error} {error.response.text}")
        file = io.BytesIO()
        picture.save(file, picture.format)
        return [Picture("bytes", file.getvalue())]

    return send


LIST, URL = {"images": ["reference_images[0]"]}, {"images": ["image_url"]}

CASES = [
    Case("an address for Kontext", edit(KONTEXT, CAT), URL, URL),
    Case("an address for FLUX.2 [pro]", edit(FLUX2, CAT), LIST, LIST, rows=[4]),
    Case("an address for FLUX.2 [dev]", edit(DEV, CAT), LIST, LIST, rows=[1]),
    Case("an address for Gemini", edit(GEMINI, CAT), LIST, LIST, rows=[3]),
    # The library reads the file, and sends what is in it.
    Case("a file", edit(DEV, str(PNG)), {**LIST, "kinds": ["data_uri"]}, {**LIST, "kinds": ["data_uri"]}),
    Case(
        "two images for Kontext",
        edit(KONTEXT, CAT, reference_images=[CAT, CAR]),
        emulate=URL,
        serve={"status": 400, "says": ["image_url", "reference_images"]},
        rows=[2, 6],
    ),
    Case(
        "two images for FLUX.2",
        edit(FLUX2, CAT, reference_images=[CAT, CAR]),
        emulate={"images": ["reference_images[0]", "reference_images[1]"]},
        serve={"images": ["reference_images[0]", "reference_images[1]"]},
    ),
    # It goes as an object that Together does not know.
    Case(
        "a size",
        edit(FLUX2, CAT, target_size={"width": 1024, "height": 768}),
        emulate={**LIST, "fields": ["target_size"]},
        serve={"status": 400, "says": ["target_size"]},
    ),
    Case(
        "a seed of 0",
        edit(FLUX2, CAT, seed=0),
        emulate={**LIST, "fields": ["seed"]},
        serve={**LIST, "fields": ["seed"]},
        rows=[9],
    ),
    Case("a PNG", edit(FLUX2, CAT, output_format="png"), {**LIST, "type": "image/png"}, {**LIST, "type": "image/png"}, rows=[26]),
    Case("no credit", edit(FLUX2, CAT), {"status": 402, "posts": 1}, {"status": 402, "posts": 1}, at="402", rows=[27]),
    Case(
        "an outcome that is unknown",
        edit(FLUX2, CAT),
        emulate={"status": 504, "posts": 1, "paid": 1},
        serve={"status": 424, "posts": 1, "paid": 1, "says": ["charged"]},
        at="504",
        rows=[18],
    ),
    Case(
        "an answer that comes too late",
        edit(FLUX2, CAT, timeout=1),
        emulate={"status": "timeout", "posts": 1, "paid": 1},
        serve={"status": "timeout", "posts": 1, "paid": 1},
        at="slow",
        rows=[18],
    ),
]

if __name__ == "__main__":
    run(client, CASES, posts=1, workers=1)
