#!/usr/bin/env python3
"""Assemble every kernel of the library for sm_80 and sm_90a, and hold registers, spilled bytes and shared memory against limits.

  ptxas.py PTX_FOLDER LIMITS [--write]

`ptxas` is PENSTOCK_PTXAS, the one on PATH, or /usr/local/cuda/bin/ptxas; without one the test is skipped (77). A line of LIMITS is
a kernel, the most registers a thread may have for either architecture, and its bytes of static shared memory and of spills.
--write writes what is now, registers rounded up to a multiple of 8 (they are given out by eights).
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys

ARCHITECTURES = ("sm_80", "sm_90a")
COMPILED = re.compile(r"Compiling entry function '(\w+)'")
SPILLED = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+) bytes smem")


def assembler():
    for candidate in (os.environ.get("PENSTOCK_PTXAS"), shutil.which("ptxas"), "/usr/local/cuda/bin/ptxas"):
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    return None


def assembled(ptxas, file, architecture):
    """(kernel, registers, shared bytes, spilled bytes) of each kernel of the file."""
    run = subprocess.run([ptxas, "-v", "-arch=" + architecture, file, "-o", os.devnull], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise RuntimeError(f"{file.name} for {architecture}: {run.stderr}")
    found, kernel, spilled = [], None, 0
    for line in run.stderr.splitlines():
        if COMPILED.search(line):
            kernel = COMPILED.search(line).group(1)
        if SPILLED.search(line):
            spilled = sum(map(int, SPILLED.search(line).groups()))
        if USED.search(line):
            shared = SHARED.search(line)
            found.append((kernel, int(USED.search(line).group(1)), int(shared.group(1)) if shared else 0, spilled))
    return found


def limitsOf(file):
    rows = (line.split() for line in file.read_text().splitlines() if line.strip() and not line.startswith("#"))
    return {name: tuple(map(int, numbers)) for name, *numbers in rows}


def write(file, measured):
    most = {}
    for _, kernel, registers, shared, spilled in measured:
        before = most.get(kernel, (0, 0, 0))
        most[kernel] = (max(before[0], -(-registers // 8) * 8), max(before[1], shared), max(before[2], spilled))
    width = max(map(len, most))
    lines = ["# kernel, registers, bytes of static shared memory, bytes spilled: at most, for sm_80 and sm_90a"]
    lines += [f"{kernel:{width}} {row[0]:4} {row[1]:6} {row[2]:4}" for kernel, row in sorted(most.items())]
    file.write_text("\n".join(lines) + "\n")


def problems(measured, limits):
    for architecture, kernel, *numbers in measured:
        for what, number, limit in zip(("registers", "bytes of shared memory", "bytes spilled"), numbers, limits.get(kernel, ())):
            if number > limit:
                yield f"{kernel} for {architecture}: {number} {what}, the limit is {limit}; where that is meant, --write the table anew"
        if kernel not in limits:
            yield f"{kernel} has no line in the table of limits"
    for kernel in limits.keys() - {row[1] for row in measured}:
        yield f"{kernel} is in the table of limits, and no kernel"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("limits", type=pathlib.Path)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    ptxas = assembler()
    if ptxas is None:
        print("skipped: there is no ptxas (PENSTOCK_PTXAS, PATH, /usr/local/cuda/bin)")
        return 77
    jobs = [(file, architecture) for file in sorted(arguments.folder.glob("*.ptx")) for architecture in ARCHITECTURES]
    if not jobs:
        print(f"no PTX in {arguments.folder}")
        return 1
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda job: assembled(ptxas, *job), jobs)
    measured = [(architecture, *row) for (_, architecture), rows in zip(jobs, results) for row in rows]
    if arguments.write:
        write(arguments.limits, measured)
        return 0
    found = sorted(problems(measured, limitsOf(arguments.limits)))
    for line in found:
        print(line)
    print(f"{len(measured)} kernels assembled by {ptxas}, {len(found)} beyond their limits")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
