// Together's library for Node: the examples of its guide as they are printed, and the shared cases.

import Together from "together-ai";

import { Failed, pictures, run, shared } from "./trial.mjs";

const client = (base) => new Together({ baseURL: `${base}/v1`, apiKey: "any" });

const send = (together, body, { timeout } = {}) =>
  answer(() => together.images.generate(body, timeout && { timeout: 1000 * timeout }));

async function answer(call) {
  let response;
  try {
    response = await call();
  } catch (error) {
    if (error instanceof Together.APIConnectionTimeoutError) throw new Failed("timeout", error.message);
    if (error instanceof Together.APIError && error.status) throw new Failed(error.status, error.message);
    throw error;
  }
  return pictures(response.data);
}

async function kontext(together) {
  const response = await together.images.generate({
    model: "black-forest-labs/FLUX.1-kontext-pro",
    width: 1024,
    height: 768,
    prompt: "Transform this into a watercolor painting",
    image_url:
      "https://cdn.pixabay.com/photo/2020/05/20/08/27/cat-5195431_1280.jpg",
  });
  return pictures(response.data);
}

async function flux2(together) {
  const response = await together.images.generate({
    model: "black-forest-labs/FLUX.2-pro",
    width: 1024,
    height: 768,
    prompt: "Replace the color of the car to blue",
    reference_images: [
      "https://images.pexels.com/photos/3729464/pexels-photo-3729464.jpeg",
    ],
  });
  return pictures(response.data);
}

const size = ["width", "height"];
const url = { images: ["image_url"], fields: size };
const list = { images: ["reference_images[0]"], fields: size };

await run(
  client,
  [
    { name: "the guide's example of image_url", send: kontext, emulate: url, serve: url },
    { name: "the guide's example of reference_images", send: flux2, emulate: list, serve: list },
    ...shared(send),
  ],
  3,
);
