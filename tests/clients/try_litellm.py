"""LiteLLM as a library: the shared cases through image_generation, and files through image_edit."""

import os

# Its table of prices would come from a network.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from litellm.exceptions import Timeout

from trial import PNG, Case, Failed, Picture, pictures, run, shared

litellm.suppress_debug_info = True


def client(base: str) -> str:
    return f"{base}/v1"


def send(base: str, body: dict[str, object], **options: float) -> list[Picture]:
    fields = {**body, "model": f"together_ai/{body['model']}"}
    return answer(lambda: litellm.image_generation(**fields, api_base=base, api_key="any", **options))


def answer(call) -> list[Picture]:
    try:
        return pictures(call().data)
    except Timeout as error:
        # It calls an answer with 504 so, too.
        raise Failed(504 if error.status_code == 504 else "timeout", str(error))
    except Exception as error:
        if (status := getattr(error, "status_code", None)) is None:
            raise
        raise Failed(status, str(error))


def edit(model: str, image: object, **fields: object):
    # As together_ai it has no image_edit; as openai it has.
    return lambda base: answer(
        lambda: litellm.image_edit(
            model=f"openai/{model}", prompt="make it night", image=image, api_base=base, api_key="any", **fields
        )
    )


FLUX2, KONTEXT = "black-forest-labs/FLUX.2-pro", "black-forest-labs/FLUX.1-kontext-pro"
# Together has no such path.
NOWHERE = {"status": 404}
TWO = ["reference_images[0]", "reference_images[1]"]

CASES = [
    *shared(send),
    # It sends one file as image[], too.
    Case("a file", edit(KONTEXT, PNG.open("rb")), NOWHERE, {"images": ["image_url"], "kinds": ["data_uri"]}, rows=[28]),
    Case("two files", edit(FLUX2, [PNG.open("rb"), PNG.open("rb")]), NOWHERE, {"images": TWO}, rows=[28]),
    Case(
        "two files for a model of one image",
        edit(KONTEXT, [PNG.open("rb"), PNG.open("rb")]),
        NOWHERE,
        {"status": 400, "says": ["at most 1 input image", "not 2"]},
        rows=[2, 28],
    ),
]

if __name__ == "__main__":
    run(client, CASES, posts=3)
