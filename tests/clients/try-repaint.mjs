// The package of clients/typescript: one request for every offer at Together, in the body that it takes, through a server.

import { readFileSync } from "node:fs";

import { body, CATALOGUE, isOfferId, Refused } from "./dist/index.js";
import { Failed, PNG, pictures, run } from "./trial.mjs";

/** A picture out of others: this is all that a program needs. */
const edit = (offer, images) => async (base) => {
  let made;
  try {
    made = body(offer, { prompt: "make it night", images });
  } catch (error) {
    if (error instanceof Refused) throw new Failed("refused", error.message);
    throw error;
  }
  const answer = await fetch(`${base}/v1/images/generations`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer any" },
    body: JSON.stringify(made),
  });
  if (!answer.ok) throw new Failed(answer.status, await answer.text());
  return pictures((await answer.json()).data);
};

const png = `data:image/png;base64,${readFileSync(PNG).toString("base64")}`;

const cases = CATALOGUE.models
  .filter(({ id, provider }) => provider === "together" && isOfferId(id))
  .map(({ id, accepts }) => {
    const { max } = accepts.images.value;
    const images = [png, "https://images.example/car.jpg"].slice(0, max);
    const fields = [[], ["image_url"]][max] ?? ["reference_images[0]", "reference_images[1]"];
    const outcome = { images: fields };
    return { name: `${images.length} images for ${id}`, send: edit(id, images), emulate: outcome, serve: outcome };
  });

const refused = { status: "refused", posts: 0 };

await run(
  (base) => base,
  [
    ...cases,
    { name: "two images for Kontext", send: edit("together/kontext-pro", [png, png]), emulate: refused, serve: refused, rows: [2] },
  ],
  1,
);
