// Tries a library for Node against a server, as trial.py does for Python; that file says how it is called and what the words mean.

import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const PNG = fileURLToPath(new URL("picture.png", import.meta.url));
const KNOWN = ["status", "says", "images", "kinds", "fields", "type", "as", "count", "posts", "paid", "adapted"];

/** An error as the library tells it: a status of HTTP, or `timeout`. */
export class Failed extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** The cases of cases.json through a library: `send(client, body, {timeout})`. Those of `without` it cannot send: a reason each. */
export function shared(send, without = {}) {
  const uri = `data:image/png;base64,${readFileSync(PNG).toString("base64")}`;
  const text = readFileSync(new URL("cases.json", import.meta.url), "utf8").replaceAll("$PNG", uri);
  const rows = JSON.parse(text);
  const unknown = Object.keys(without).filter((name) => !rows.some((row) => row.name === name));
  if (0 < unknown.length) throw new Error(`cases.json has no case that is called ${unknown}`);
  return rows
    .filter((row) => !(row.name in without))
    .map((row) => ({ ...row, send: (client) => send(client, row.body, { timeout: row.timeout }) }));
}

/** The pictures of an answer in the form of OpenAI and Together, those with an address downloaded. */
export async function pictures(data) {
  return Promise.all(
    data.map(async (item) => {
      if (typeof item.b64_json === "string") return { kind: "b64_json", data: Buffer.from(item.b64_json, "base64") };
      const answer = await fetch(item.url);
      if (!answer.ok) throw new Error(`the picture's address answers with ${answer.status}`);
      return { kind: "url", data: Buffer.from(await answer.arrayBuffer()) };
    }),
  );
}

/**
 * Runs the table of cases {name, send, emulate, serve, at, rows}, and ends the program. `client` is made for a base address without
 * /v1; `posts` is how often the library posts what fails for a while.
 */
export async function run(client, cases, posts) {
  const [as, mode, ...words] = process.argv.slice(2);
  if (as !== "--as" || !["emulate", "serve"].includes(mode) || words.length === 0) {
    console.error("usage: --as emulate|serve NAME=BASE[,EMULATOR]…");
    process.exit(2);
  }
  const servers = new Map(words.map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1).split(",")]));
  const wanted = cases.filter((it) => it[mode] !== null);
  const left = wanted.filter((it) => !servers.has(it.at ?? "sound"));
  // A server has a log of its own, so that one may be tried beside the other.
  const lines = [...servers].map(async ([name, [base, emulator = base]]) => {
    const mine = client(base);
    const wrong = [];
    for (const it of wanted.filter((it) => (it.at ?? "sound") === name)) {
      wrong.push(...(await tried(it, mine, it[mode], base, emulator, posts)));
    }
    return wrong;
  });
  const wrong = (await Promise.all(lines)).flat();
  for (const line of wrong) console.log(line);
  const without = 0 < left.length ? `, ${left.length} without a server` : "";
  console.log(`${wanted.length - left.length - wrong.length} cases as ${mode}${without}`);
  process.exit(0 < wrong.length || wanted.length === left.length ? 1 : 0);
}

/** What is wrong, in one line, if anything is. */
async function tried(it, client, outcome, base, emulator, posts) {
  const log = `${emulator}/__emulator/requests`;
  await (await fetch(log, { method: "DELETE" })).text();
  let got;
  try {
    got = await it.send(client);
  } catch (error) {
    if (!(error instanceof Failed)) return [`${it.name}: the library fails by itself: ${error.stack}`];
    got = error;
  }
  const look = async () => differences(outcome, got, await (await fetch(log)).json(), posts);
  let wrong = await look();
  // What a library gave up may still be on its way.
  for (let patience = outcome.status === "timeout" ? 50 : 0; 0 < patience && 0 < wrong.length; patience -= 1) {
    await setTimeout(100);
    wrong = await look();
  }
  if ("adapted" in outcome && wrong.length === 0) wrong.push(...(await untold(base, outcome.adapted)));
  return 0 < wrong.length ? [`${it.name} (rows ${it.rows ?? []}): ${wrong.join("; ")}`] : [];
}

/** Each way in which what happened is not what the table says. */
function differences(outcome, got, seen, posts) {
  const wrong = Object.keys(outcome).filter((name) => !KNOWN.includes(name)).map((name) => `nothing looks at ${name}`);
  const orders = seen.requests.filter((it) => it.stage === "order");
  const taken = orders.filter((it) => it.taken);
  const bad = "status" in outcome;
  if (got instanceof Failed) {
    if (got.status !== outcome.status) wrong.push(`failed with ${got.status}, not ${outcome.status}: ${got.message}`);
    for (const words of outcome.says ?? []) {
      if (!got.message.includes(words)) wrong.push(`\`${words}\` is not in: ${got.message}`);
    }
  } else if (bad) {
    wrong.push(`no error, but ${got.length} pictures`);
  } else {
    const count = outcome.count ?? 1;
    if (got.length !== count) wrong.push(`${got.length} pictures, not ${count}`);
    for (const { kind, data } of got) {
      if (mediaType(data) !== (outcome.type ?? "image/jpeg")) wrong.push(`the picture begins with ${data.subarray(0, 8).toString("hex")}`);
      if ("as" in outcome && ![outcome.as, "bytes"].includes(kind)) wrong.push(`the picture comes as ${kind}`);
    }
  }
  const numbers = { paid: [bad ? 0 : (outcome.count ?? 1), taken.length], posts: [undefined, orders.length] };
  for (const [name, [usual, found]] of Object.entries(numbers)) {
    const expected = outcome[name] ?? usual;
    if (expected !== undefined && found !== (expected === "each" ? posts : expected)) {
      wrong.push(`${name} ${found}, not ${expected}: ${JSON.stringify(orders)}`);
    }
  }
  const last = taken.at(-1);
  if (!bad && last !== undefined) {
    for (const [name, found] of [["images", last.images.map((it) => it.field)], ["kinds", last.images.map((it) => it.kind)]]) {
      if (name in outcome && `${found}` !== `${outcome[name]}`) wrong.push(`${name} ${found}, not ${outcome[name]}`);
    }
    const lost = (outcome.fields ?? []).filter((name) => !last.fields.includes(name));
    if (0 < lost.length) wrong.push(`${lost} did not arrive, but ${last.fields}`);
  }
  return wrong;
}

/** Whether the receipt of the last job at a gateway says that the images were moved from one field to another. */
async function untold(base, adapted) {
  const { data } = await (await fetch(`${base}/v1/jobs?limit=1`)).json();
  const told = data[0].receipt.adaptations.map(({ from, to }) => `${from} ${to}`);
  return told.includes(adapted.join(" ")) ? [] : [`the receipt tells of ${told}, not of ${adapted}`];
}

function mediaType(data) {
  if (data.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff]))) return "image/jpeg";
  if (data.subarray(0, 4).equals(Buffer.from([0x89, 0x50, 0x4e, 0x47]))) return "image/png";
  return "unknown";
}
