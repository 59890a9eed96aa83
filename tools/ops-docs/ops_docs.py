"""Writes docs/generated/ops.md from the dialects' definitions, or says that it is stale.

usage: ops_docs.py --tblgen LLVM_TBLGEN --include DIR --source ROOT [--check]
"""
import argparse
import json
import pathlib
import subprocess
import sys
import textwrap

DIALECTS = [
    ("Pipe", "compiler/dialect/Pipe/PipeOps.td"),
    ("Nn", "compiler/dialect/Nn/NnOps.td"),
    ("Kernel", "compiler/dialect/Kernel/KernelOps.td"),
]
HEAD = """<!-- Made by tools/ops-docs from the definitions in compiler/dialect; do not edit. -->
# Operations of the dialects

What the compiler's stages are made of, from what the user wrote down to calls of kernels. `penstock compile --emit=` prints
each stage; `pipe-opt` runs its passes. The operations of the language itself are in [builtins.md](../design/builtins.md);
head plugins build their part of the model from those, by the same names, with weights as further operands.

"derivative" marks an op with a vector-Jacobian product; an op without one between a parameter and the objective is an error.
"""


def records(arguments, root, path):
    command = [arguments.tblgen, "-dump-json", "-I", str(root), "-I", arguments.include, str(root / path)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def prose(text):
    return textwrap.dedent(text or "").strip("\n").rstrip()


def base(all_records, name):
    """The attribute under defaults and options, and how it is given."""
    record = all_records[name]
    default = record.get("defaultValue")
    optional = record.get("isOptional")
    while record.get("baseAttr"):
        record = all_records[record["baseAttr"]["def"]]
    if default is not None:
        return record, "default `%s`" % default.strip('"') if default.strip('"') else "default empty"
    return record, "optional" if optional else ""


def arguments_of(all_records, op):
    lines = []
    for value, name in op["arguments"]["args"]:
        record = all_records[value["def"]]
        if "Attr" in record["!superclasses"] or "AttrConstraint" in record["!superclasses"]:
            attribute, given = base(all_records, value["def"])
            what = attribute["summary"].replace(" attribute", "")
            lines.append("- attribute `%s`: %s%s" % (name, what, ", " + given if given else ""))
        else:
            several = "Variadic" in record["!superclasses"] or "Optional" in record["!superclasses"]
            kind = record["summary"] or all_records[record["baseType"]["def"]]["summary"] if several else record["summary"]
            kind = kind.removeprefix("variadic of ")
            lines.append("- operand `%s`: %s%s" % (name, "any number, each " if several else "", kind))
    for value, name in op["results"]["args"]:
        lines.append("- result `%s`: %s" % (name, all_records[value["def"]]["summary"]))
    return lines


def dialect_text(title, all_records):
    text = []
    for name in all_records["!instanceof"].get("Dialect", []):
        dialect = all_records[name]
        if name == title + "_Dialect":
            text += ["", "## %s: %s" % (title, dialect["summary"]), "", prose(dialect["description"])]
    types = [all_records[name] for name in all_records["!instanceof"].get("TypeDef", [])]
    types = [t for t in types if t["dialect"]["def"] == title + "_Dialect"]
    if types:
        text += ["", "### Types of %s" % title, ""]
        for t in sorted(types, key=lambda t: t["mnemonic"]):
            text.append("- `!%s.%s`: %s" % (title.lower(), t["mnemonic"], t["summary"]))
    ops = [all_records[name] for name in all_records["!instanceof"].get("Op", [])]
    ops = [op for op in ops if op["opDialect"]["def"] == title + "_Dialect"]
    for op in sorted(ops, key=lambda op: op["opName"]):
        traits = [trait["def"] for trait in op["traits"]]
        derivative = " (derivative)" if "Nn_Vjp" in traits else ""
        text += ["", "### `%s.%s`%s" % (title.lower(), op["opName"], derivative), "", op["summary"] + ".", ""]
        if op["description"]:
            text += [prose(op["description"]), ""]
        text += arguments_of(all_records, op)
        if text[-1] == "":
            text.pop()
    return text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tblgen", required=True)
    parser.add_argument("--include", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    root = pathlib.Path(arguments.source)
    lines = HEAD.rstrip("\n").split("\n")
    for title, path in DIALECTS:
        lines += dialect_text(title, records(arguments, root, path))
    text = "\n".join(line.rstrip() for line in lines) + "\n"
    page = root / "docs" / "generated" / "ops.md"
    if page.exists() and page.read_text(encoding="utf-8") == text:
        return 0
    if arguments.check:
        print("docs/generated/ops.md is stale: build the target `ops-docs`", file=sys.stderr)
        return 1
    page.write_text(text, encoding="utf-8")
    print("docs/generated/ops.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
