// Whether the bodies of this package are those of the library: node dist/test/jobs.js JOBS
import { isDeepStrictEqual } from "node:util";
import { body, isOfferId, parseJob, Refused } from "../index.js";
import { lines } from "./lines.js";

interface Line {
  offer: string;
  job: unknown;
  body: unknown;
}

const [jobs = ""] = process.argv.slice(2);
const offers = new Set<string>();
let [seen, wrong] = [0, 0];
for await (const line of lines<Line>(jobs)) {
  if (!isOfferId(line.offer)) throw new RangeError(`there is a job for an offer that the package has not: ${line.offer}`);
  const made = attempt(line.offer, line.job);
  seen += 1;
  offers.add(line.offer);
  if (!isDeepStrictEqual(made, line.body)) {
    wrong += 1;
    console.log(JSON.stringify({ made, ...line }));
  }
}
console.log(`${seen} jobs for ${offers.size} offers; ${wrong} bodies differ`);
process.exit(0 < seen && wrong === 0 ? 0 : 1);

function attempt(id: Parameters<typeof body>[0], job: unknown): unknown {
  try {
    return body(id, parseJob(job).request);
  } catch (error) {
    if (error instanceof Refused || error instanceof TypeError) return error.message;
    throw error;
  }
}
