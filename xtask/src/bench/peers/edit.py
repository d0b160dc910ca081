"""What the Python peers share: the images, and the meter."""

import base64
import json
import sys
import time

ANSWER_BYTES = 6_000_000
KEY = "none"
BASE, FOLDER, TIMES = sys.argv[1], sys.argv[2], int(sys.argv[3])


def base():
    return BASE


def images():
    return [image(f"{FOLDER}/{index}.jpg") for index in range(8)]


def image(path):
    with open(path, "rb") as file:
        return "data:image/jpeg;base64," + base64.b64encode(file.read()).decode("ascii")


def measure(edit):
    first_ms, cpu_ms, wall_ms = None, [], []
    for _ in range(TIMES):
        cpu, wall = time.process_time(), time.perf_counter()
        edit()
        cpu_ms.append((time.process_time() - cpu) * 1e3)
        wall_ms.append((time.perf_counter() - wall) * 1e3)
        first_ms = first_ms or time.process_time() * 1e3
    with open("/proc/self/status") as status:
        peak = next(line for line in status if line.startswith("VmHWM:"))
    figures = {"first_ms": first_ms, "cpu_ms": cpu_ms, "wall_ms": wall_ms}
    print(json.dumps(figures | {"peak_mb": int(peak.split()[1]) / 1024}))
