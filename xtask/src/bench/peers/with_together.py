"""The same edit with the Python library `together`."""

import base64

from together import Together

from edit import ANSWER_BYTES, KEY, base, images, measure

client = Together(api_key=KEY, base_url=base(), max_retries=0)


def edit():
    answer = client.images.generate(
        model="black-forest-labs/FLUX.2-dev",
        prompt="p",
        response_format="base64",
        reference_images=images(),
    )
    assert len(base64.b64decode(answer.data[0].b64_json)) == ANSWER_BYTES


measure(edit)
