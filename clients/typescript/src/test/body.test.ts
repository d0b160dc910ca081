// What a caller may rely on: all of a request, or a reason for each part of it.
import assert from "node:assert/strict";
import test from "node:test";
import { body, broken, CATALOGUE, encode, isOfferId, offer, parseJob, Refused } from "../index.js";

const IMAGE = "https://images.example/cat.png?signature=a%2Fb";
const PIXEL = "data:image/png;base64,iVBORw0KGgo=";

const reasons = (run: () => unknown): string[] => {
  try {
    run();
  } catch (error) {
    if (error instanceof Refused) return error.violations.map((it) => `${it.pointer} ${it.rule}`);
    throw error;
  }
  return [];
};

test("an image stands in the field of the offer, to the letter", () => {
  assert.deepEqual(body("together/flux2-pro", { prompt: "night", images: [IMAGE] }).reference_images, [IMAGE]);
  assert.deepEqual(body("bfl/kontext-pro", { prompt: "night", images: [PIXEL] }).input_image, "iVBORw0KGgo=");
});

test("a kind of image that is not taken is refused before bare base64 hides it", () => {
  for (const image of ["data:image/gif;base64,R0lGODlh", "data:application/pdf;base64,AAAA", "data:image/png,AAAA"]) {
    assert.deepEqual(reasons(() => encode(offer("bfl/kontext-pro"), { prompt: "night", images: [image] })), ["/images/0 image"]);
  }
});

test("the pointer of an option is escaped", () => {
  const request = { prompt: "night", options: { "a/b~c": 1 } };
  assert.deepEqual(reasons(() => body("bfl/kontext-pro", request)), ["/options/a~1b~0c field"]);
});

test("whatever has no field is refused, all of it at once", () => {
  const request = { prompt: "night", images: [IMAGE, IMAGE], mask: IMAGE, guidance: 3, count: 2, options: { nope: 1 } };
  const found = reasons(() => body("bfl/kontext-pro", request));
  assert.deepEqual(found.sort(), ["/count field", "/guidance field", "/images/1 field", "/mask field", "/options/nope field"]);
});

test("a field that this package does not know is refused, not dropped", () => {
  const request = { prompt: "night", loras: [] } as { prompt: string };
  assert.deepEqual(reasons(() => encode(offer("together/flux2-pro"), request)), ["/loras field"]);
});

test("a limit of the schema is refused by its keyword, a named rule by its name", () => {
  assert.deepEqual(reasons(() => body("together/flux2-pro", { prompt: "night", size: "1001x1000" })), ["/width multipleOf"]);
  assert.deepEqual(reasons(() => body("bfl/kontext-pro", { prompt: "night", size: "1:4" })), ["/aspect_ratio ratio"]);
  const gif = "data:image/gif;base64,R0lGODlh";
  assert.deepEqual(reasons(() => body("together/flux2-pro", { prompt: "night", images: [gif] })), ["/reference_images/0 image"]);
});

test("an image and a body are weighed to the byte", () => {
  const [most, more] = [`${"A".repeat(26_666_667)}=`, "A".repeat(26_666_668)].map((it) => `data:image/png;base64,${it}`) as [string, string];
  assert.deepEqual(reasons(() => body("bfl/kontext-pro", { prompt: "night", images: [most] })), []);
  assert.deepEqual(reasons(() => body("bfl/kontext-pro", { prompt: "night", images: [more] })), ["/input_image image"]);
  assert.deepEqual(reasons(() => body("together/flux2-pro", { prompt: "night", images: [most, most, most] })), [" texts"]);
});

test("one picture needs no saying, two do", () => {
  assert.equal(body("together/flux2-pro", { prompt: "night", count: 1 }).n, undefined);
  assert.equal(body("together/flux2-pro", { prompt: "night", count: 2 }).n, 2);
});

test("an offer of a newer catalogue is encoded without its types", () => {
  const known = offer("together/flux2-pro");
  const fields = (known.fields ?? []).map((it) => (it.holds === "model" ? { ...it, value: "flux-9" } : it));
  const newer = { ...known, id: "together/flux9", fields };
  assert.equal(encode(newer, { prompt: "night" })["model"], "flux-9");
  assert.deepEqual(broken(newer.rules ?? [], { width: 8 }).map((it) => it.rule), ["pixels"]);
});

test("a rule that this package does not know lets nothing pass", () => {
  const [first] = offer("together/flux2-pro").rules ?? [];
  assert.throws(() => broken([{ ...first, rule: "phase_of_the_moon" } as never], {}), /take a newer one/);
});

test("every offer with a body has a validator, and no other", () => {
  for (const { id, request_schema } of CATALOGUE.models) assert.equal(isOfferId(id), request_schema !== undefined);
});

test("a null is no absent field", () => {
  assert.throws(() => parseJob({ request: { prompt: "night", seed: null } }), /seed/);
});
