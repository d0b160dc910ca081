// From a request to the body of one offer, by what the catalogue says of its fields.
import type { BodyField, Entry } from "./generated/catalog.js";
import type { ImageRequest } from "./generated/job.js";
import { Refused, type Violation } from "./violation.js";

/**
 * The body that asks an offer for a request. Nothing is adapted and nothing is dropped: what the offer has no field for is
 * thrown as {@link Refused}. Limits are not looked at: `violations` does that.
 */
export function encode(offer: Entry, request: ImageRequest): Record<string, unknown> {
  const parts = taken(request);
  const body: Record<string, unknown> = {};
  const violations = kindless(offer, request);
  for (const field of offer.fields ?? []) {
    const value = held(field, parts, request) ?? field.value;
    if (value !== undefined && value !== field.omit) body[field.name] = value;
  }
  // What is left has no field. One picture is what every offer makes.
  if (request.count === 1) parts.delete("count");
  const message = "has no field in the body: leave it out, or use another offer";
  for (const part of parts.keys()) violations.push({ pointer: `/${part}`, rule: "field", message });
  if (0 < violations.length) throw new Refused(offer.id, violations);
  return body;
}

/** Everything that a request asks for, by its place in the request. */
function taken(request: ImageRequest): Map<string, unknown> {
  const { prompt, images = [], mask, size, count, seed, negative_prompt, steps, guidance, output_format, options = {}, ...unknown } = request;
  const parts = new Map<string, unknown>(Object.entries(unknown));
  const fields = { prompt, mask, count, seed, negative_prompt, steps, guidance, output_format };
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) parts.set(name, value);
  if (size !== undefined && size !== "auto") parts.set("size", size);
  images.forEach((image, index) => parts.set(`images/${index}`, image));
  for (const [name, value] of Object.entries(options)) parts.set(option(name), value);
  return parts;
}

/** What one field holds of a request, taken out of the parts. */
function held(field: BodyField, parts: Map<string, unknown>, { images = [], size = "auto" }: ImageRequest): unknown {
  const take = (part: string): unknown => {
    const value = parts.get(part);
    parts.delete(part);
    return value;
  };
  switch (field.holds) {
    case "model":
      return undefined;
    case "image":
      return written(take(`images/${field.index}`), field);
    case "images": {
      const all = images.map((_, index) => written(take(`images/${index}`), field));
      return 0 < all.length ? all : undefined;
    }
    case "mask":
      return written(take("mask"), field);
    case "width":
    case "height": {
      const pixels = /^(\d+)x(\d+)$/.exec(size);
      if (pixels === null) return undefined;
      take("size");
      return Number(pixels[field.holds === "width" ? 1 : 2]);
    }
    case "ratio":
      return size.includes(":") ? take("size") : undefined;
    case "option":
      return take(option(field.name));
    case "prompt":
    case "count":
    case "seed":
    case "negative_prompt":
    case "steps":
    case "guidance":
    case "output_format":
      return take(field.holds);
  }
}

/** The place of an option, as a JSON Pointer has it. */
const option = (name: string): string => `options/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;

/** Bare base64 does not say what kind of picture it is, so the kind is judged before it is lost. */
function kindless(offer: Entry, { images = [], mask }: ImageRequest): Violation[] {
  const rule = offer.rules?.find((it) => it.rule === "image");
  if (rule?.rule !== "image" || rule.form !== "base64") return [];
  const heads = rule.media_types.map((it) => `data:${it};base64,`);
  const named = images.map((image, index): [string, string] => [`/images/${index}`, image]);
  if (mask !== undefined) named.push(["/mask", mask]);
  return named
    .filter(([, image]) => image.startsWith("data:") && !heads.some((it) => image.startsWith(it)))
    .map(([pointer]) => ({ pointer, rule: "image", message: `must be ${rule.media_types.join(" or ")}` }));
}

/** An address as it is; bytes, which come as a data URI, in the form that the field wants. */
function written(image: unknown, field: BodyField): unknown {
  const bare = field.form === "base64" && typeof image === "string" && image.startsWith("data:");
  return bare ? image.slice(image.indexOf(",") + 1) : image;
}
