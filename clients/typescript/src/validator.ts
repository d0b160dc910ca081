// What a compiled JSON Schema is.

/** Tells whether a value is a `T`; why not stands in `errors` until the next call. */
export interface Validator<T> {
  (value: unknown): value is T;
  errors?: SchemaError[] | null;
}

/** One thing that a schema has against a value, as ajv says it. */
export interface SchemaError {
  /** A JSON Pointer to the value. */
  instancePath: string;
  /** Which keyword of the schema. */
  keyword: string;
  /** What it asks. */
  message?: string;
  /** Its limit, or the name that is missing or unknown. */
  params: Record<string, unknown>;
}
