// Files of JSON lines, as `cargo xtask corpus` writes them.
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

/** The values of a file, one a line; a program of this repository wrote it. */
export async function* lines<T>(file: string): AsyncGenerator<T> {
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    if (line !== "") yield JSON.parse(line) as T;
  }
}
