"""cURL: the examples of Together's guide as they are printed but for the host, the shared cases, and forms with files."""

import json
import subprocess
import types

from trial import PNG, Case, Failed, Picture, pictures, run, shared

KONTEXT = """
  curl -X POST "$BASE/v1/images/generations" \\
       -H "Authorization: Bearer $TOGETHER_API_KEY" \\
       -H "Content-Type: application/json" \\
       -d '{
         "model": "black-forest-labs/FLUX.1-kontext-pro",
         "width": 1024,
         "height": 768,
         "prompt": "Transform this into a watercolor painting",
         "image_url": "https://cdn.pixabay.com/photo/2020/05/20/08/27/cat-5195431_1280.jpg"
       }'
"""

FLUX2 = """
  curl -X POST "$BASE/v1/images/generations" \\
       -H "Authorization: Bearer $TOGETHER_API_KEY" \\
       -H "Content-Type: application/json" \\
       -d '{
         "model": "black-forest-labs/FLUX.2-pro",
         "width": 1024,
         "height": 768,
         "prompt": "Replace the color of the car to blue",
         "reference_images": ["https://images.pexels.com/photos/3729464/pexels-photo-3729464.jpeg"]
       }'
"""

JSON = 'curl "$BASE/v1/images/generations" -H "Authorization: Bearer $TOGETHER_API_KEY" -H "Content-Type: application/json" -d @-'
FORM = 'curl "$BASE/v1/images/edits" -H "Authorization: Bearer $TOGETHER_API_KEY" -F "model=black-forest-labs/FLUX.2-pro" -F "prompt=make it night"'


def ask(base: str, command: str, stdin: str = "", options: str = "") -> list[Picture]:
    """Runs a command line of curl. An error's message has the head of the answer, too."""
    told = subprocess.run(
        ["sh", "-c", f"{command.strip()} --silent --show-error --include --noproxy '*' {options}"],
        env={"BASE": base, "TOGETHER_API_KEY": "any", "PICTURE": str(PNG), "PATH": "/usr/bin:/bin"},
        input=stdin.encode(),
        capture_output=True,
    )
    if told.returncode == 28:
        raise Failed("timeout", told.stderr.decode())
    if told.returncode != 0:
        raise RuntimeError(told.stderr.decode())
    head, body = told.stdout.decode().split("\r\n\r\n", 1)
    while body.startswith("HTTP/"):
        # What came before was a 100.
        head, body = body.split("\r\n\r\n", 1)
    status = int(head.split()[1])
    if status != 200:
        raise Failed(status, f"{head}\n{body}")
    answer = json.loads(body, object_hook=lambda it: types.SimpleNamespace(**it))
    return pictures(answer.data)


def send(base: str, body: dict[str, object], timeout: int | None = None) -> list[Picture]:
    return ask(base, JSON, json.dumps(body), f"--max-time {timeout}" if timeout else "")


def form(fields: str):
    return lambda base: ask(base, f"{FORM} {fields}")


def path(path: str):
    return lambda base: ask(base, JSON.replace("/v1/images/generations", path), json.dumps(FOX))


FOX = {"model": "black-forest-labs/FLUX.2-pro", "prompt": "a red fox"}
NOWHERE = {"status": 404}
FILE = {"images": ["reference_images[0]"], "kinds": ["data_uri"]}
TWO = {"images": ["reference_images[0]", "reference_images[1]"]}

CASES = [
    Case(
        "the guide's example of image_url",
        lambda base: ask(base, KONTEXT),
        emulate={"images": ["image_url"], "fields": ["width", "height"]},
        serve={"images": ["image_url"], "fields": ["width", "height"]},
    ),
    Case(
        "the guide's example of reference_images",
        lambda base: ask(base, FLUX2),
        emulate={"images": ["reference_images[0]"], "fields": ["width", "height"]},
        serve={"images": ["reference_images[0]"], "fields": ["width", "height"]},
    ),
    *shared(send, without={"an order that is awaited longer than the caller waits is paid once": "it does not ask again"}),
    Case("a base address with /v1 twice", path("/v1/v1/images/generations"), {"images": []}, {"images": []}),
    Case("a base address without /v1", path("/images/generations"), {"images": []}, {"images": []}),
    Case("a file as image", form('-F "image=@$PICTURE"'), NOWHERE, FILE, rows=[28]),
    Case("a file as image[]", form('-F "image[]=@$PICTURE"'), NOWHERE, FILE, rows=[28]),
    Case("two files as image[]", form('-F "image[]=@$PICTURE" -F "image[]=@$PICTURE"'), NOWHERE, TWO, rows=[28]),
    # What the form calls it is not asked.
    Case("a file of another name", form('-F "image=@$PICTURE;filename=cat.txt;type=text/plain"'), NOWHERE, FILE, rows=[26, 28]),
    Case(
        "a path in a form is no image, and is not read",
        form('-F "image=/etc/passwd"'),
        NOWHERE,
        {"status": 400, "says": ["image"]},
        rows=[37],
    ),
    Case(
        "nobody is to ask again when the outcome is unknown",
        lambda base: send(base, FOX),
        emulate=None,
        serve={"status": 424, "posts": 1, "paid": 1, "says": ["x-should-retry: false", "outcome_unknown"]},
        at="504",
        rows=[18],
    ),
]

if __name__ == "__main__":
    run(lambda base: base, CASES, posts=1)
