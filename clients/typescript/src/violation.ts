// What is wrong with a job or a body.

/** One thing that is wrong, where, and by which rule. */
export interface Violation {
  /** A JSON Pointer into what was judged; empty for the whole. */
  readonly pointer: string;
  /** A keyword of JSON Schema, a named rule of the catalogue, or `field` for what an offer has no field for. */
  readonly rule: string;
  /** What it asks. */
  readonly message: string;
}

/** An offer does not take what was asked of it. Nothing was dropped or changed to make it fit. */
export class Refused extends Error {
  override readonly name = "Refused";

  constructor(
    readonly offer: string,
    readonly violations: readonly Violation[],
  ) {
    super(`${offer} does not take it: ${violations.map(shown).join("; ")}`);
  }
}

const shown = ({ pointer, message }: Violation): string => (pointer === "" ? message : `${pointer} ${message}`);
