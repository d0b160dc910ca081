// Whether a body is what an offer's provider takes: the schema first, then the rules that no schema can say.
import type { Entry } from "./generated/catalog.js";
import { Job as isJob } from "./generated/validators.js";
import type { Job } from "./generated/job.js";
import { broken } from "./rules.js";
import type { SchemaError, Validator } from "./validator.js";
import type { Violation } from "./violation.js";

/** All that is wrong with a body; nothing if the offer takes it. */
export function violations(offer: Entry, validator: Validator<unknown>, body: unknown): Violation[] {
  const wrong = schemaViolations(validator, body);
  // A rule reads fields whose types the schema has judged.
  return 0 < wrong.length ? wrong : broken(offer.rules ?? [], body as Record<string, unknown>);
}

/** The job in a JSON value, such as a request of our own users. */
export function parseJob(value: unknown): Job {
  if (isJob(value)) return value;
  throw new TypeError(`this is no job: ${(isJob.errors ?? []).map((it) => `${it.instancePath} ${it.message ?? it.keyword}`).join("; ")}`);
}

export function schemaViolations(validator: Validator<unknown>, value: unknown): Violation[] {
  return validator(value) ? [] : (validator.errors ?? []).map(violation);
}

function violation({ instancePath, keyword, message, params }: SchemaError): Violation {
  const name = params["additionalProperty"] ?? params["missingProperty"];
  const detail = typeof name === "string" ? ` (\`${name}\`)` : "";
  return { pointer: instancePath, rule: keyword, message: `${message ?? keyword}${detail}` };
}
