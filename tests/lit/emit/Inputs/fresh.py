"""fresh.py PENSTOCK FOLDER FILE...: each file is compiled twice, without a cache in common and for each level; the programs must be equal."""

import os
import pathlib
import subprocess
import sys

penstock, folder, files = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]


def compiled(file, level, number):
    cache, output = folder / f"cache{number}", folder / f"{number}.so"
    environment = dict(os.environ, PENSTOCK_CACHE=str(cache / file.stem / level))
    subprocess.run([penstock, "compile", str(file), "--quiet", f"--level={level}", "-o", str(output)], env=environment, check=True)
    return output.read_bytes()


for file in map(pathlib.Path, files):
    for level in ("avx2", "avx512"):
        first, second = (compiled(file, level, number) for number in (1, 2))
        if not first or first != second:
            sys.exit(f"{file.name} at {level}: two programs of {len(first)} and {len(second)} bytes differ")
