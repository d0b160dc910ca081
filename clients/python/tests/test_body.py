"""What a caller may rely on: all of a request, or a reason for each part of it."""

import unittest
from collections.abc import Callable
from functools import partial

from pydantic import ValidationError

from repaint_client import BODIES, ImageRequest, Refused, body, broken, catalogue, encode, offer, read
from repaint_client.generated.models.together.flux2_pro import TogetherFlux2ProRequest

IMAGE = "https://images.example/cat.png?signature=a%2Fb"
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def reasons(run: Callable[[], object]) -> list[str]:
    try:
        run()
    except Refused as refused:
        return sorted(f"{it.pointer} {it.rule}" for it in refused.violations)
    return []


class Body(unittest.TestCase):
    def test_an_image_stands_in_the_field_of_the_offer_to_the_letter(self) -> None:
        request = ImageRequest(prompt="night", images=[IMAGE])
        self.assertEqual(body("together/flux2-pro", request)["reference_images"], [IMAGE])
        request = ImageRequest(prompt="night", images=[PIXEL])
        self.assertEqual(body("bfl/kontext-pro", request)["input_image"], "iVBORw0KGgo=")

    def test_a_kind_that_is_not_taken_is_refused_before_bare_base64_hides_it(self) -> None:
        for kind in ("image/gif;base64,R0lGODlh", "image/tiff;base64,AAAA"):
            request = ImageRequest(prompt="night", images=[f"data:{kind}"])
            kontext = partial(encode, offer("bfl/kontext-pro"), request)
            self.assertEqual(reasons(kontext), ["/images/0 image"])

    def test_a_pointer_leads_into_the_value(self) -> None:
        theirs = {"model": "x", "prompt": "night", "width": 1000, "height": 512, "a/b~c": 1}
        _, wrong = read(BODIES["together/kontext-pro"], theirs)
        found = {it.pointer for it in wrong}
        self.assertLessEqual({"/model", "/width", "/a~1b~0c"}, found)
        self.assertFalse(any("Request" in it for it in found), found)

    def test_what_python_cannot_hold_is_refused_and_not_raised(self) -> None:
        deep: list[object] = []
        for _ in range(5000):
            deep = [deep]
        for strange in (deep, {"seed": 10**5000}):
            model, wrong = read(BODIES["together/kontext-pro"], strange)
            self.assertIsNone(model)
            self.assertEqual(len(wrong), 1)

    def test_whatever_has_no_field_is_refused_all_of_it_at_once(self) -> None:
        request = ImageRequest(
            prompt="night", images=[IMAGE, IMAGE], mask=IMAGE, guidance=3, count=2, options={"nope": 1}
        )
        missing = ["/count", "/guidance", "/images/1", "/mask", "/options/nope"]
        self.assertEqual(
            reasons(lambda: body("bfl/kontext-pro", request)), [f"{it} field" for it in missing]
        )

    def test_a_limit_is_refused_by_its_name(self) -> None:
        wide = ImageRequest(prompt="night", size="1001x1000")
        self.assertEqual(reasons(lambda: body("together/flux2-pro", wide)), ["/width multiple_of"])
        tall = ImageRequest(prompt="night", size="1:4")
        self.assertEqual(reasons(lambda: body("bfl/kontext-pro", tall)), ["/aspect_ratio ratio"])
        gif = ImageRequest(prompt="night", images=["data:image/gif;base64,R0lGODlh"])
        self.assertEqual(reasons(lambda: body("together/flux2-pro", gif)), ["/reference_images/0 image"])

    def test_an_image_and_a_body_are_weighed_to_the_byte(self) -> None:
        most, more = (
            f"data:image/png;base64,{it}" for it in ("A" * 26_666_667 + "=", "A" * 26_666_668)
        )
        for offer, images, found in [
            ("bfl/kontext-pro", [most], []),
            ("bfl/kontext-pro", [more], ["/input_image image"]),
            ("together/flux2-pro", [most, most, most], [" texts"]),
        ]:
            request = ImageRequest(prompt="night", images=images)
            self.assertEqual(reasons(partial(body, offer, request)), found)

    def test_one_picture_needs_no_saying_two_do(self) -> None:
        for count, n in [(1, None), (2, 2)]:
            made = body("together/flux2-pro", ImageRequest(prompt="night", count=count))
            self.assertEqual(made.get("n"), n)

    def test_an_offer_of_a_newer_catalogue_is_encoded_without_its_model(self) -> None:
        newer = offer("together/flux2-pro").model_copy(update={"id": "together/flux9"})
        self.assertEqual(encode(newer, ImageRequest(prompt="night"))["prompt"], "night")
        self.assertEqual([it.rule for it in broken(newer, {"width": 8})], ["pixels"])

    def test_every_offer_with_a_body_has_a_model_and_no_other(self) -> None:
        with_body = [it.id for it in catalogue().models if it.model_dump().get("request_schema")]
        self.assertEqual(with_body, list(BODIES))

    def test_what_is_absent_is_left_out_and_null_is_refused(self) -> None:
        made = TogetherFlux2ProRequest(model="black-forest-labs/FLUX.2-pro", prompt="night")
        self.assertEqual(set(made.model_dump()), {"model", "prompt"})
        with self.assertRaises(ValidationError):
            ImageRequest.model_validate({"prompt": "night", "seed": None})

    def test_a_whole_number_may_be_written_with_a_point_and_a_text_is_none(self) -> None:
        plain = {"model": "black-forest-labs/FLUX.2-pro", "prompt": "night"}
        for seed, wrong in [(1024.0, 0), ("1024", 1), (True, 1), (1.5, 1)]:
            _, against = read(BODIES["together/flux2-pro"], {**plain, "seed": seed})
            self.assertEqual(len(against), wrong, seed)


if __name__ == "__main__":
    unittest.main()
