#!/usr/bin/env python3
"""Compile time of the example tasks: cold, and from the cache.

usage: compile_time.py BUILD SOURCE [repeats]

Prints the wall and processor time of `penstock compile`: what the compiler reports for finding or making the program ("program"),
and the whole process with its reading of file and data ("process"). Medians; the aim for maintenance_transformer is 2 s cold and 50 ms from the
cache on two cores that do nothing else.
"""
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time


def run(command, environment):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout)["seconds"], wall, cpu, json.loads(done.stdout)["cached"]


def main():
    build, source = sys.argv[1:3]
    repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    print(f"{'task':26} {'':9} {'program ms':>10} {'process ms':>10} {'processor ms':>12}")
    for task in ("maintenance_words", "sentiment_cnn", "maintenance_transformer"):
        command = [os.path.join(build, "bin", "penstock"), "compile",
                   os.path.join(source, "dsl_examples", "tasks", task + ".pipe"), "--json"]
        times = {True: [], False: []}
        for _ in range(repeats):
            with tempfile.TemporaryDirectory() as cache:
                environment = dict(os.environ, PENSTOCK_CACHE=cache)
                for expected in (False, True):
                    program, wall, cpu, cached = run(command, environment)
                    if cached != expected:
                        sys.exit(f"{task}: expected {'a hit' if expected else 'a miss'} of the cache")
                    times[expected].append((program, wall, cpu))
        for cached in (False, True):
            middle = [statistics.median(column) * 1e3 for column in zip(*times[cached])]
            print(f"{task:26} {'cached' if cached else 'cold':9} {middle[0]:10.1f} {middle[1]:10.1f} {middle[2]:12.1f}")


if __name__ == "__main__":
    main()
