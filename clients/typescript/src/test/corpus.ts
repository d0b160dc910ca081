// The verdicts of ajv, zod and the rules on generated bodies and jobs: node dist/test/corpus.js CORPUS SCHEMAS
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { Job as isJob } from "../generated/validators.js";
import { isOfferId, offer, type Validator, VALIDATORS, violations } from "../index.js";
import { lines } from "./lines.js";

interface Line {
  /** Whose body; none for a job. */
  offer: string | null;
  schema: string;
  body: unknown;
  /** What JSON Schema says. */
  schema_valid: boolean;
  /** What the schema and the rules say. */
  valid: boolean;
}

const [corpus = "", schemas = ""] = process.argv.slice(2);
const zods = new Map<string, z.ZodType>();
let [seen, valid, wrong] = [0, 0, 0];
for await (const line of lines<Line>(corpus)) {
  const validator = validatorOf(line);
  const zod = zods.get(line.schema) ?? z.fromJSONSchema(JSON.parse(readFileSync(join(schemas, line.schema), "utf8")));
  zods.set(line.schema, zod);
  const verdicts = {
    ajv: validator(line.body) === line.schema_valid,
    zod: zod.safeParse(line.body).success === line.schema_valid,
    rules: line.offer === null || (violations(offer(line.offer), validator, line.body).length === 0) === line.valid,
  };
  seen += 1;
  valid += line.valid ? 1 : 0;
  const against = Object.entries(verdicts).filter(([, agrees]) => !agrees);
  if (0 < against.length) {
    wrong += 1;
    console.log(JSON.stringify({ disagrees: against.map(([name]) => name), ...line }));
  }
}
console.log(`${seen} values, ${valid} valid; ajv, zod and the rules disagree on ${wrong}`);
process.exit(0 < seen && wrong === 0 ? 0 : 1);

function validatorOf({ offer, schema }: Line): Validator<unknown> {
  if (offer === null && schema === "job.schema.json") return isJob;
  if (offer !== null && isOfferId(offer)) return VALIDATORS[offer];
  throw new RangeError(`the package has no validator for ${offer ?? schema}`);
}
