// OpenAI's library for Node: the shared cases through images.generate, and files through images.edit.

import { readFileSync } from "node:fs";

import OpenAI, { toFile } from "openai";

import { Failed, PNG, pictures, run, shared } from "./trial.mjs";

const client = (base) => new OpenAI({ baseURL: `${base}/v1`, apiKey: "any" });

// What it does not know it sends along.
const send = (openai, body, { timeout } = {}) =>
  answer(() => openai.images.generate(body, timeout && { timeout: 1000 * timeout }));

async function answer(call) {
  let response;
  try {
    response = await call();
  } catch (error) {
    if (error instanceof OpenAI.APIConnectionTimeoutError) throw new Failed("timeout", error.message);
    if (error instanceof OpenAI.APIError && error.status) throw new Failed(error.status, error.message);
    throw error;
  }
  return pictures(response.data);
}

const picture = () => toFile(readFileSync(PNG), "cat.png", { type: "image/png" });

const edit = (model, image, fields = {}) => (openai) =>
  answer(async () => openai.images.edit({ model, prompt: "make it night", image: await image(), ...fields }));

/** The same order with the same key: the second is answered with what the first was. */
async function twice(openai) {
  const order = () =>
    answer(() => openai.images.generate({ model: flux2, prompt: "a red fox" }, { headers: { "Idempotency-Key": "one-order" } }));
  const [[first], [second]] = [await order(), await order()];
  if (!first.data.equals(second.data)) throw new Failed("another picture", "");
  return [first, second];
}

async function models(openai) {
  const ids = [];
  for await (const { id } of openai.models.list()) ids.push(id);
  if (!ids.includes("together/flux2-pro")) throw new Failed("not listed", `${ids}`);
  return [];
}

const [flux2, kontext] = ["black-forest-labs/FLUX.2-pro", "black-forest-labs/FLUX.1-kontext-pro"];
const [one, several] = [() => picture(), (count) => () => Promise.all(Array.from({ length: count }, picture))];
// Together has no such path.
const emulate = { status: 404 };
const file = { images: ["reference_images[0]"], kinds: ["data_uri"] };

await run(
  client,
  [
    ...shared(send),
    { name: "a file as image", send: edit(flux2, one), emulate, serve: file, rows: [28] },
    { name: "a file as image[]", send: edit(flux2, several(1)), emulate, serve: file, rows: [28] },
    {
      name: "two files as image[]",
      send: edit(flux2, several(2)),
      emulate,
      serve: { images: ["reference_images[0]", "reference_images[1]"] },
      rows: [28],
    },
    {
      name: "two files for a model of one image",
      send: edit(kontext, several(2)),
      emulate,
      serve: { status: 400, says: ["at most 1 input image", "not 2"] },
      rows: [2, 28],
    },
    { name: "the models are listed", send: models, emulate: null, serve: { images: [], count: 0 } },
    { name: "an order with a key is bought once", send: twice, emulate: null, serve: { images: [], count: 2, paid: 1 } },
  ],
  3,
);
