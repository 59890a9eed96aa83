#!/usr/bin/env python3
"""Check who may include and link whom (docs/design/architecture.md), and what lies at the top of the repository.

  check_layering.py --source ROOT [--build BUILD]

Prints one line a violation, `file:line: what; rule`, and exits with 1 when there is one.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys

TOP_LEVEL = {
    "CMakeLists.txt", "compiler", "runtime", "plugins", "dsl_examples", "tests", "tools", "docs", "README.md", "LICENSE",
    "CONTRIBUTING.md", ".clang-format", ".clang-tidy", ".gitignore", "CMakePresets.json", ".ci",
}
CODE = {".h", ".c", ".cpp", ".td"}
LONGEST_FILE = 850
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')
LLVM = re.compile(r"^(mlir|llvm|clang|lld)(-c)?/")
C_HEADERS = {"stdbool.h", "stddef.h", "stdint.h"}
# The parts of the check in the order in which they may know each other (docs/design/frontend.md), each with its further files.
CHECK_PARTS = [
    ["value"], ["reporter"], ["scope"], ["settings"], ["conversion"], ["evaluator", "search", "arguments", "source_files"], ["setting_values"],
    ["records", "features", "source_steps", "cell_steps"], ["graph_builder"], ["encoder_builder"], ["model", "calls"], ["objective_text"], ["weights"], ["measures"],
    ["expectations"], ["training", "record_weights"], ["declared_records"], ["checker"],
]


def below(path, *folders):
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


def checkPart(path):
    name = os.path.splitext(os.path.basename(path))[0]
    return next((i for i, files in enumerate(CHECK_PARTS) if name in files), -1)


def violation(path, bracket, header):
    """Why `path` (from the root) may not include `header`, or None. `bracket` is `<` or `"`."""
    own = bracket == '"'
    if LLVM.match(header):
        if below(path, "runtime", "plugins"):
            return "runtime and plugins never include LLVM or MLIR"
        if below(path, "compiler/frontend", "compiler/diagnostics"):
            return "the front end and the diagnostics never include LLVM or MLIR"
        if below(path, "tools/penstock"):
            return "the command never includes LLVM or MLIR: it loads the compiler when something must be compiled"
    if below(path, "runtime") and below(header, "compiler", "tools", "plugins"):
        return "the runtime includes nothing of compiler, plugins and tools"
    if below(path, "compiler") and below(header, "runtime") and not below(header, "runtime/base", "runtime/abi"):
        return "the compiler sees of the runtime only base and abi"
    if below(path, "compiler") and below(header, "plugins", "tools"):
        return "the compiler includes nothing of plugins and tools"
    if below(path, "compiler/frontend", "compiler/diagnostics") and below(header, "compiler") and not below(
            header, "compiler/frontend", "compiler/diagnostics"):
        return "the front end and the diagnostics include no later stage of the compiler"
    if below(header, "compiler/frontend/check") and below(path, "compiler/frontend/check") and checkPart(header) > checkPart(path):
        return "a part of the check knows only those before it: " + ", ".join(files[0] for files in CHECK_PARTS)
    if below(path, "plugins") and own and below(header, "runtime", "compiler", "tools") and not below(header, "runtime/abi"):
        return "plugins include only runtime/abi and plugins/sdk"
    if below(path, "plugins") and own and below(header, "plugins") and not below(
            header, "plugins/sdk", os.path.dirname(path)):
        return "a plugin includes no other plugin"
    if below(path, "runtime/abi"):
        if own and not below(header, "runtime/abi") and "/" in header or not own and header not in C_HEADERS:
            return "abi includes only standard C headers"
    if below(path, "runtime/base") and re.match(r"^(boost|dnnl|CLI)", header):
        return "base includes only the standard library, fmt, xxHash and what reads manifests and JSON"
    if header.startswith("dnnl") or "oneapi/dnnl" in header:
        if not below(path, "runtime/kernels", "tests"):
            return "oneDNN stays behind runtime/kernels"
    if header.startswith("boost/") and not below(path, "runtime/plugin", "tests"):
        return "Boost is for loading plugins, in runtime/plugin"
    return None


def checkIncludes(root):
    for folder in ("compiler", "runtime", "plugins", "tools"):
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in CODE or not file.is_file():
                continue
            path = file.relative_to(root).as_posix()
            lines = file.read_text(encoding="utf-8").splitlines()
            for number, line in enumerate(lines, 1):
                found = INCLUDE.match(line)
                reason = found and violation(path, *found.groups())
                if reason:
                    yield f"{path}:{number}: includes `{found.group(2)}`; {reason}"
            if len(lines) > LONGEST_FILE:
                yield f"{path}:{len(lines)}: {len(lines)} lines; a file stays below about 800"


def checkHeadersAreC(root, compiler):
    for file in sorted((root / "runtime/abi").rglob("*.h")):
        name = file.relative_to(root).as_posix()
        done = subprocess.run([compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", f"-I{root}",
                               "-x", "c", "-"], input=f'#include "{name}"\nint penstock_one_declaration;\n',
                              capture_output=True, text=True)
        for line in done.stderr.splitlines():
            if "error:" in line:
                yield f"{name}: is not C11 by itself; {line}"


def checkTopLevel(root):
    done = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, text=True)
    if done.returncode != 0:
        return
    there = {name.split("/")[0] for name in done.stdout.split("\0") if name}
    for name in sorted(there - TOP_LEVEL):
        yield f"{name}: does not belong at the top of the repository"
    for name in sorted(TOP_LEVEL - there):
        yield f"{name}: is missing at the top of the repository"


def needed(file):
    done = subprocess.run(["readelf", "-d", str(file)], capture_output=True, text=True, check=True)
    return re.findall(r"\(NEEDED\).*\[([^\]]+)\]", done.stdout)


def checkLinks(build):
    files = [build / "bin/penstock", *sorted(build.glob("plugins/*/*.so"))]
    for file in files:
        if not file.is_file():
            yield f"{file}: was not built"
            continue
        for library in needed(file):
            if re.match(r"^lib(MLIR|LLVM|clang|penstock_compiler)", library):
                yield f"{file}: is linked with {library}; it is loaded only when something must be compiled"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path)
    parser.add_argument("--cc", default="clang-22", help="the C compiler that reads the headers of runtime/abi")
    options = parser.parse_args()
    root = options.source.resolve()
    found = [*checkIncludes(root), *checkHeadersAreC(root, options.cc), *checkTopLevel(root)]
    if options.build:
        found += checkLinks(options.build.resolve())
    for line in found:
        print(line)
    print(f"{len(found)} violations of the layering rules")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
