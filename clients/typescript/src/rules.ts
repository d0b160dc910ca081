// The named rules of the catalogue: what JSON Schema cannot say of a body. Their meaning stands in catalog.schema.json.
import type { BodyRule as Rule } from "./generated/catalog.js";
import type { Violation } from "./violation.js";

type Body = Readonly<Record<string, unknown>>;
type Of<Name extends Rule["rule"]> = Extract<Rule, { rule: Name }>;

/** What a body does against the rules. A value that its schema refuses is left to the schema. */
export function broken(rules: readonly Rule[], body: Body): Violation[] {
  return rules.flatMap((rule) => check(rule, body));
}

function check(rule: Rule, body: Body): Violation[] {
  switch (rule.rule) {
    case "pixels":
      return pixels(rule, body);
    case "listed_pixels":
      return listedPixels(rule, body);
    case "ratio":
      return ratio(rule, body);
    case "image":
      return images(rule, body);
    case "texts":
      return texts(rule, body);
    default:
      // A newer catalogue: to let a body pass unjudged would be to guess.
      throw new RangeError(`this package does not know the rule ${(rule satisfies never as Rule).rule}; take a newer one`);
  }
}

function pixels(rule: Of<"pixels">, body: Body): Violation[] {
  const sides = pair(rule, body);
  if (!Array.isArray(sides)) return sides === undefined ? [] : [sides];
  // Exact: the sides of a schema are far below the square root of 2^53.
  const area = sides[0] * sides[1];
  if (rule.min_area <= area && area <= rule.max_area) return [];
  return [against(rule, rule.width, `makes ${area} pixels with \`${rule.height}\`, not ${rule.min_area} to ${rule.max_area}`)];
}

function listedPixels(rule: Of<"listed_pixels">, body: Body): Violation[] {
  const sides = pair(rule, body);
  if (!Array.isArray(sides)) return sides === undefined ? [] : [sides];
  const size = `${sides[0]}x${sides[1]}`;
  return rule.sizes.includes(size) ? [] : [against(rule, rule.width, `makes ${size} with \`${rule.height}\`, which is not listed`)];
}

/** Both sides, or what is wrong with one alone, or nothing where there is none to judge. */
function pair(rule: Of<"pixels"> | Of<"listed_pixels">, body: Body): [number, number] | Violation | undefined {
  const [width, height] = [body[rule.width], body[rule.height]];
  if (width === undefined && height === undefined) return undefined;
  if (width === undefined) return against(rule, rule.width, `is missing beside \`${rule.height}\``);
  if (height === undefined) return against(rule, rule.height, `is missing beside \`${rule.width}\``);
  return typeof width === "number" && typeof height === "number" ? [width, height] : undefined;
}

function ratio(rule: Of<"ratio">, body: Body): Violation[] {
  const text = body[rule.field];
  if (typeof text !== "string") return [];
  const [of, least, most] = [sides(text), sides(rule.tallest), sides(rule.flattest)];
  if (of === undefined || least === undefined || most === undefined) return [];
  if (compare(least, of) <= 0 && compare(of, most) <= 0) return [];
  return [against(rule, rule.field, `must be from ${rule.tallest} to ${rule.flattest}`)];
}

function sides(ratio: string): [number, number] | undefined {
  const found = /^([1-9]\d{0,3}):([1-9]\d{0,3})$/.exec(ratio);
  return found === null ? undefined : [Number(found[1]), Number(found[2])];
}

const compare = (a: [number, number], b: [number, number]): number => a[0] * b[1] - b[0] * a[1];

function images(rule: Of<"image">, body: Body): Violation[] {
  const named = rule.fields.flatMap((field): [string, unknown][] => {
    const value = body[field];
    return Array.isArray(value) ? value.map((it, index) => [`${field}/${index}`, it]) : [[field, value]];
  });
  return named.flatMap(([place, image]) => {
    const wrong = typeof image === "string" ? unreadable(rule, image) : undefined;
    return wrong === undefined ? [] : [against(rule, place, wrong)];
  });
}

function unreadable({ url, form, media_types, max_bytes }: Of<"image">, text: string): string | undefined {
  const address = /^https?:\/\//.exec(text);
  if (address !== null) {
    if (!url) return "must not be an address";
    return /^https?:\/\/[^/?#]/.test(text) && !hasBlank(text) ? undefined : "is an address that cannot be read";
  }
  if (media_types.length === 0) return "must be an address";
  let start = 0;
  if (form === "data_uri") {
    const head = media_types.map((it) => `data:${it};base64,`).find((it) => text.startsWith(it));
    if (head === undefined) return `must be an address or a data URI of ${media_types.join(", ")}`;
    start = head.length;
  }
  const bytes = bytesOfBase64(text, start);
  if (bytes === undefined) return "is not base64 with padding";
  return bytes <= max_bytes ? undefined : `stands for ${bytes} bytes, more than ${max_bytes}`;
}

function hasBlank(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) <= 0x20) return true;
  return false;
}

/** How many bytes the base64 from `start` on stands for. Character by character: a regular expression overflows at megabytes. */
function bytesOfBase64(text: string, start: number): number | undefined {
  const length = text.length - start;
  if (length < 4 || length % 4 !== 0) return undefined;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  for (let at = start; at < text.length - padding; at++) {
    const code = text.charCodeAt(at);
    const inside = (65 <= code && code <= 90) || (97 <= code && code <= 122) || (47 <= code && code <= 57) || code === 43;
    if (!inside) return undefined;
  }
  return (length / 4) * 3 - padding;
}

function texts(rule: Of<"texts">, body: Body): Violation[] {
  const bytes = Object.values(body).reduce((sum: number, it) => sum + bytesOfTexts(it), 0);
  if (bytes <= rule.max_bytes) return [];
  return [{ pointer: "", rule: rule.rule, message: `has texts of ${bytes} bytes together, more than ${rule.max_bytes}` }];
}

function bytesOfTexts(value: unknown): number {
  if (typeof value === "string") return new TextEncoder().encode(value).length;
  if (value === null || typeof value !== "object") return 0;
  return Object.values(value).reduce((sum: number, it) => sum + bytesOfTexts(it), 0);
}

function against(rule: Rule, place: string, message: string): Violation {
  return { pointer: `/${place}`, rule: rule.rule, message };
}
