// The AI SDK with its providers for Together and for servers like OpenAI's: generateImage with and without images.

import { readFileSync } from "node:fs";

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { createTogetherAI } from "@ai-sdk/togetherai";
import { APICallError, generateImage, RetryError } from "ai";

import { Failed, PNG, run } from "./trial.mjs";

const client = (base) => ({
  togetherai: createTogetherAI({ baseURL: `${base}/v1`, apiKey: "any" }),
  compatible: createOpenAICompatible({ name: "repaint", baseURL: `${base}/v1`, apiKey: "any" }),
});

// What it warns of is looked at by the cases, not printed.
globalThis.AI_SDK_LOG_WARNINGS = false;

const send = (provider, model, prompt, options = {}) => async (client) => {
  const { timeout, ...rest } = options;
  const abortSignal = timeout && AbortSignal.timeout(1000 * timeout);
  try {
    const { images } = await generateImage({ model: client[provider].imageModel(model), prompt, abortSignal, ...rest });
    return images.map((it) => ({ kind: "bytes", data: Buffer.from(it.uint8Array) }));
  } catch (error) {
    const last = RetryError.isInstance(error) ? error.lastError : error;
    if (APICallError.isInstance(last) && last.statusCode) throw new Failed(last.statusCode, `${last.message} ${last.responseBody}`);
    if (last.name === "TimeoutError") throw new Failed("timeout", last.message);
    throw error;
  }
};

const [kontext, flux2, dev, gemini] = [
  "black-forest-labs/FLUX.1-kontext-pro",
  "black-forest-labs/FLUX.2-pro",
  "black-forest-labs/FLUX.2-dev",
  "google/gemini-3-pro-image",
];
const [cat, car] = ["https://images.example/cat.jpg", "https://images.example/car.jpg"];
const png = readFileSync(PNG);
const night = (...images) => ({ text: "make it night", images });

const url = { images: ["image_url"] };
const list = { images: ["reference_images[0]"] };
const both = { images: ["reference_images[0]", "reference_images[1]"] };
const refused = { status: 400, says: ["image_url"] };
// It fetches no picture from this machine itself but from the server that it asked: this one must be in the answer.
const inside = { providerOptions: { repaint: { response_format: "b64_json" } } };
// Together has no path for edits.
const nowhere = { status: 404 };

await run(
  client,
  [
    { name: "an address for Kontext", send: send("togetherai", kontext, night(cat)), emulate: url, serve: url },
    // It sends image_url whatever the model.
    { name: "an address for FLUX.2 [dev]", send: send("togetherai", dev, night(cat)), emulate: refused, serve: list, rows: [1, 5] },
    { name: "an address for Gemini", send: send("togetherai", gemini, night(cat)), emulate: refused, serve: list, rows: [3, 5] },
    { name: "an address for FLUX.2 [pro]", send: send("togetherai", flux2, night(cat)), emulate: url, serve: list, rows: [4] },
    {
      name: "bytes",
      send: send("togetherai", kontext, night(png)),
      emulate: { ...url, kinds: ["data_uri"] },
      serve: { ...url, kinds: ["data_uri"] },
    },
    // It keeps the first and warns: no server can know of the second.
    { name: "two images are one on the way", send: send("togetherai", flux2, night(cat, car)), emulate: url, serve: list },
    {
      name: "two images as an option of the provider",
      send: send("togetherai", flux2, "put the cat into the car", { providerOptions: { togetherai: { reference_images: [cat, car] } } }),
      emulate: both,
      serve: both,
    },
    {
      name: "an image as such and another as an option",
      send: send("togetherai", flux2, night(cat), { providerOptions: { togetherai: { reference_images: [car] } } }),
      emulate: { images: ["image_url", "reference_images[0]"] },
      serve: { status: 400, says: ["image_url", "reference_images"] },
      rows: [6],
    },
    {
      name: "a size and a seed of 0",
      send: send("togetherai", flux2, "a red fox", { size: "1024x768", seed: 0 }),
      emulate: { images: [], fields: ["width", "height", "seed"] },
      serve: { images: [], fields: ["width", "height", "seed"] },
      rows: [9, 25],
    },
    {
      name: "two pictures are two orders",
      send: send("togetherai", flux2, "a red fox", { n: 2 }),
      emulate: { images: [], count: 2, posts: 2 },
      serve: { images: [], count: 2, posts: 2 },
    },
    {
      name: "an outcome that is unknown",
      at: "504",
      send: send("togetherai", flux2, "a red fox"),
      emulate: { status: 504, posts: "each", paid: "each" },
      serve: { status: 424, posts: 1, paid: 1 },
      rows: [18],
    },
    {
      name: "no credit",
      at: "402",
      send: send("togetherai", flux2, "a red fox"),
      emulate: { status: 402, posts: 1 },
      serve: { status: 402, posts: 1 },
      rows: [27],
    },
    // It has no time limit of its own, and does not ask again after that of the caller.
    {
      name: "an answer that comes too late",
      at: "slow",
      send: send("togetherai", flux2, "a red fox", { timeout: 1 }),
      emulate: { status: "timeout", posts: 1, paid: 1 },
      serve: { status: "timeout", posts: 1, paid: 1 },
      rows: [18],
    },
    {
      name: "the compatible provider asks for bytes",
      send: send("compatible", flux2, "a red fox", { size: "1024x768" }),
      emulate: { images: [], fields: ["size", "n"] },
      serve: { images: [], fields: ["width", "height"] },
      rows: [25],
    },
    {
      name: "the compatible provider sends a file",
      send: send("compatible", kontext, night(png), inside),
      emulate: nowhere,
      serve: { ...url, kinds: ["data_uri"] },
      rows: [28],
    },
    {
      name: "the compatible provider sends two files",
      send: send("compatible", flux2, night(png, png), inside),
      emulate: nowhere,
      serve: both,
      rows: [28],
    },
    {
      name: "the compatible provider sends two files to a model of one image",
      send: send("compatible", kontext, night(png, png)),
      emulate: nowhere,
      serve: { status: 400, says: ["at most 1 input image", "not 2"] },
      rows: [2, 28],
    },
  ],
  3,
);
