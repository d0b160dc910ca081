"""The same edit with the Python library `openai`, pointed at Together as Together documents it."""

import base64
import sys

# A script's folder comes first; this file must not stand in for the library of its name.
FOLDER = sys.path.pop(0)
from openai import OpenAI  # noqa: E402

sys.path.append(FOLDER)
from edit import ANSWER_BYTES, KEY, base, images, measure  # noqa: E402

client = OpenAI(api_key=KEY, base_url=base() + "/v1", max_retries=0)


def edit():
    answer = client.images.generate(
        model="black-forest-labs/FLUX.2-dev",
        prompt="p",
        extra_body={"response_format": "base64", "reference_images": images()},
    )
    assert len(base64.b64decode(answer.data[0].b64_json)) == ANSWER_BYTES


measure(edit)
