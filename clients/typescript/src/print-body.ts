// Prints the body that asks an offer for a picture: node dist/print-body.js OFFER PROMPT [IMAGE…]
import { body, isOfferId, type Job, parseJob, Refused } from "./index.js";

const [id = "", prompt = "", ...images] = process.argv.slice(2);
if (!isOfferId(id)) {
  console.error(`\`${id}\` is no offer with a body; usage: print-body OFFER PROMPT [IMAGE…]`);
  process.exit(2);
}
const job: Job = { select: [id], request: { prompt, images } };
try {
  // It is one, says the compiler; that the prompt is not empty and an image is an address, only the schema says.
  console.log(JSON.stringify(body(id, parseJob(job).request), null, 2));
} catch (error) {
  console.error(error instanceof Refused || error instanceof TypeError ? error.message : error);
  process.exit(3);
}
