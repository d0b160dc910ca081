"""The same edit with the Python library `openai`, pointed at Together as Together documents it."""

import base64

from openai import OpenAI

from edit import ANSWER_BYTES, KEY, base, images, measure

client = OpenAI(api_key=KEY, base_url=base() + "/v1", max_retries=0)


def edit():
    answer = client.images.generate(
        model="black-forest-labs/FLUX.2-dev",
        prompt="p",
        extra_body={"response_format": "base64", "reference_images": images()},
    )
    assert len(base64.b64decode(answer.data[0].b64_json)) == ANSWER_BYTES


measure(edit)
