// What the Node peers share: the images, and the meter.

import { readFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';

export const ANSWER_BYTES = 6_000_000;
export const KEY = 'none';
export const [BASE, FOLDER, TIMES] = process.argv.slice(2);

export async function images() {
  const images = [];
  for (let index = 0; index < 8; index++) {
    const bytes = await readFile(`${FOLDER}/${index}.jpg`);
    images.push('data:image/jpeg;base64,' + bytes.toString('base64'));
  }
  return images;
}

export async function measure(edit) {
  let first_ms;
  const cpu_ms = [], wall_ms = [];
  for (let time = 0; time < Number(TIMES); time++) {
    const cpu = process.cpuUsage(), wall = performance.now();
    const length = await edit();
    if (length !== ANSWER_BYTES) throw new Error(`${length} bytes are not the whole picture`);
    const used = process.cpuUsage(cpu);
    cpu_ms.push((used.user + used.system) / 1e3);
    wall_ms.push(performance.now() - wall);
    const all = process.cpuUsage();
    first_ms ??= (all.user + all.system) / 1e3;
  }
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'));
  console.log(JSON.stringify({ first_ms, cpu_ms, wall_ms, peak_mb: Number(peak[1]) / 1024 }));
}
