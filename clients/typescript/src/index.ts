// The package: `body` for one call, the rest for programs that do more.
import { CATALOGUE } from "./generated/catalogue.js";
import { encode } from "./encode.js";
import type { Bodies } from "./generated/bodies.js";
import type { Entry } from "./generated/catalog.js";
import type { ImageRequest } from "./generated/job.js";
import { VALIDATORS } from "./generated/offers.js";
import { violations } from "./validate.js";
import { Refused } from "./violation.js";

export { encode } from "./encode.js";
export type { Bodies } from "./generated/bodies.js";
export { CATALOGUE } from "./generated/catalogue.js";
export type * from "./generated/types.js";
export type { Entry } from "./generated/catalog.js";
export type { ImageRequest } from "./generated/job.js";
export { VALIDATORS } from "./generated/offers.js";
export { broken } from "./rules.js";
export { parseJob, violations } from "./validate.js";
export type { SchemaError, Validator } from "./validator.js";
export { Refused, type Violation } from "./violation.js";

/** The id of an offer with a body: a model at a provider, such as `together/flux2-pro`. */
export type OfferId = keyof Bodies;

/** Whether a text is such an id. */
export const isOfferId = (id: string): id is OfferId => Object.hasOwn(VALIDATORS, id);

/** What the catalogue of this package says of an offer. */
export function offer(id: string): Entry {
  const found = CATALOGUE.models.find((it) => it.id === id);
  if (found === undefined) throw new RangeError(`no offer is named ${id}; CATALOGUE.models lists them`);
  return found;
}

/** The whole body that asks an offer for a request, as its provider takes it; throws {@link Refused} with all reasons. */
export function body<Id extends OfferId>(id: Id, request: ImageRequest): Bodies[Id] {
  const entry = offer(id);
  const made: unknown = encode(entry, request);
  const wrong = violations(entry, VALIDATORS[id], made);
  if (0 < wrong.length) throw new Refused(id, wrong);
  // The validator has just said that it is one.
  return made as Bodies[Id];
}
