#!/usr/bin/env python3
"""Runs what a document shows: every block of code in it.

  docs_test.py BUILD SOURCE DOCUMENT [--compiler CXX] [--keep FOLDER]

The blocks, by the word behind their fence:

  sh      run by bash, all of a document in their order by one bash that ends at the first failure, in a folder of its own with dsl_examples
          and the built command in build/bin and on the path
  text    what the block `sh` in front of it prints on standard output; a line `...` stands for any lines. A comment in front of it may say
          <!-- numbers differ: WHY --> (every number is one), or <!-- not compared: WHY -->
  pipe    a whole file, which is checked with its data; or blocks of one: a comment names the whole file whose blocks of the same names they
          replace, and settings: <!-- in: dsl_examples/tasks/x.pipe --set a=b -->
  json, toml   parsed; json may be JSON Lines
  c, cpp  compiled, against the SDK and the header that `penstock build` wrote in front of it; statements alone stand in a function
  csv     a table whose rows have one length
  python, yaml   of other tools: their syntax alone

  <!-- given: COMMAND -->    in front of any block: run before it, for what a reader has and this folder does not
  <!-- file: NAME -->        in front of a block: it is saved under that name for the blocks behind it; blocks of a .pipe file with the others of it

Any other block is a failure.
"""

import argparse
import csv
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

try:
    import tomllib
except ImportError:  # Python 3.9
    tomllib = None
try:
    import yaml
except ImportError:
    yaml = None

# What stands in documents and does not run here: a script of that name does what it says.
SHIMS = {
    "tools/dev": """# builds, tests and measures this tree: other tests do; `model` prints a folder with a small model of Hugging Face's form
case "$1" in
  model) echo "$SOURCE/tests/golden/encoders/fixtures/bert" ;;
  demo|build|test|bench|setup|lint|format) ;;
  *) echo "tools/dev: $1 is not known to the test of documents" >&2; exit 2 ;;
esac
""",
    "bin/cmake": """# configures and builds a plugin's project: tests of the templates do
case "$*" in
  *--build*|-S*|*--install*) ;;
  *) exec /usr/bin/cmake "$@" ;;
esac
""",
    "bin/python3": "# of the reader's environment, with torch and scikit-learn\ncat >/dev/null\n",
    "bin/man": "# a pager\ntest -s \"$1\"\n",
    "bin/jq": "# of the reader's machine\ncat >/dev/null\n",
}

# `train` makes so many steps at most where DOCS_STEPS says so, so that big examples take seconds.
COMMAND = """#!/bin/bash
case "$*" in
  *"plugin test my_head"*|*"--plugins my_head/build"*) exit 0 ;; # cmake did not build it
esac
if [ "$1" = train ] && [ -n "$DOCS_STEPS" ]; then
  exec "$REAL" "$@" --set train.steps="$DOCS_STEPS" --set train.validate=never
fi
exec "$REAL" "$@"
"""

NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?%?")
DIRECTIVE = re.compile(r"^<!--\s*([a-z ]+?)(?::\s*(.*?))?\s*-->$")
KINDS = {"sh", "text", "pipe", "json", "toml", "c", "cpp", "csv", "python", "yaml"}


class Block:
    def __init__(self, kind, line, text, directives):
        self.kind, self.line, self.text, self.directives = kind, line, text, directives

    def one(self, name):
        found = [value for key, value in self.directives if key == name]
        return found[0] if found else None


def blocksOf(text):
    """The blocks of a document with the comments in front of them."""
    blocks, waiting, held, kind, indent = [], [], None, "", ""
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.match(r"^(\s*)```\s*(\S*)\s*$", line)
        if held is not None:
            if fence and not fence[2]:
                blocks.append(Block(kind, at, "\n".join(held) + "\n", waiting))
                held, waiting = None, []
            else:
                held.append(line[len(indent):] if line.startswith(indent) else line)
        elif fence:
            held, kind, at, indent = [], fence[2], number, fence[1]
        elif DIRECTIVE.match(line.strip()):
            match = DIRECTIVE.match(line.strip())
            waiting.append((match[1], match[2] or ""))
        elif line.strip():
            waiting = []
    if held is not None:
        raise SystemExit(f"line {at}: a block does not end")
    return blocks


def itemsOf(text):
    """The top-level items of a .pipe file: [(name or None, text)]; a block has its name, other things have none."""
    items, held, depth, name = [], [], 0, None
    for line in text.splitlines():
        bare = re.sub(r'"(?:\\.|[^"\\])*"', '""', line).split("#")[0]
        if depth == 0 and bare.strip():
            match = re.match(r"^(data|features|model|train|evaluate|target|deploy)\s*\{", bare)
            if match or re.match(r"^(layer|head)\b", bare):
                if held:
                    items.append((None, "\n".join(held)))
                    held = []
                name = match[1] if match else None
        held.append(line)
        before, depth = depth, depth + bare.count("{") - bare.count("}")
        if depth == 0 and (before > 0 or "{" in bare):
            items.append((name, "\n".join(held)))
            held, name = [], None
    if held:
        items.append((None, "\n".join(held)))
    return items


def woven(whole, fragment):
    """The file with the blocks of the fragment in place of its own; what else the fragment has stands in front of the first block."""
    new = itemsOf(fragment)
    named = {name: text for name, text in new if name}
    items = [(name, named.pop(name, text) if name else text) for name, text in itemsOf(whole)]
    first = next((i for i, (name, _) in enumerate(items) if name), len(items))
    items[first:first] = [(None, text) for name, text in new if not name]
    return "\n".join(text for _, text in [*items, *named.items()]) + "\n"


class Document:
    def __init__(self, options, scratch):
        self.options, self.scratch, self.mistakes = options, scratch, []
        self.path = options.source / options.document
        self.blocks = blocksOf(self.path.read_text(encoding="utf-8"))
        self.prepare()

    def prepare(self):
        scratch, source, build = self.scratch, self.options.source, self.options.build
        shutil.copytree(source / "dsl_examples", scratch / "dsl_examples")
        for name, text in {**SHIMS, "build/bin/penstock": COMMAND}.items():
            file = scratch / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text if text.startswith("#!") else "#!/bin/bash\n" + text)
            file.chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{scratch / 'bin'}:{scratch / 'build/bin'}:{os.environ['PATH']}", "SOURCE": str(source),
                            "REAL": str(build / "bin/penstock"), "PENSTOCK_CACHE": str(self.options.cache or scratch / "cache"), "COLUMNS": "100"}
        if self.path.name == "gpu.md":  # a driver that stands for NVIDIA's
            self.environment.update(PENSTOCK_CUDA_DRIVER=str(build / "lib/libpenstock_fake_cuda.so"), PENSTOCK_CUDA_CODE="emulated")

    def wrong(self, block, text):
        self.mistakes.append(f"{self.options.document}:{block.line}: {text}")

    def run(self):
        for number, block in enumerate(self.blocks):
            if block.kind not in KINDS:
                self.wrong(block, f"a block of the kind `{block.kind}`: kinds are {', '.join(sorted(KINDS))}")
            known = {"given", "file", "in", "numbers differ", "not compared"}
            for name, _ in block.directives:
                if name not in known:
                    self.wrong(block, f"the comment `{name}` is not known")
        if self.mistakes:
            return self.mistakes
        script = ["set -eo pipefail", "export HOME=$PWD"]
        folder = self.scratch / ".blocks"
        folder.mkdir()
        for number, block in enumerate(self.blocks):
            base = folder / str(number)
            base.write_text(block.text)
            script.append(f"echo {number} > {folder}/now; exec > {base}.out 2> {base}.err < /dev/null")
            script += [value for name, value in block.directives if name == "given"]
            if block.one("file") and not block.one("in"):
                script.append(f"mkdir -p \"$(dirname '{block.one('file')}')\"; cp {base} '{block.one('file')}'")
            if block.kind == "sh":
                script.append(f": > {base}.out; exec > {base}.out")
                script.append(block.text)
            elif block.kind == "pipe":
                script.append(self.checking(block, number))
            elif block.kind in ("c", "cpp"):
                script.append(self.compiling(block, number))
        done = subprocess.run(["bash", "-c", "\n".join(script)], cwd=self.scratch, env=self.environment, timeout=280)
        if done.returncode != 0:
            number = int((folder / "now").read_text())
            said = "".join((folder / f"{number}.{end}").read_text(errors="replace") for end in ("out", "err"))
            self.wrong(self.blocks[number], f"exit code {done.returncode}\n{self.blocks[number].text}{said[-4000:]}")
            return self.mistakes
        for number, block in enumerate(self.blocks):
            if block.kind == "json":
                self.parse(block, lambda text: [json.loads(line) for line in text.splitlines()] if not self.isJson(text) else None)
            elif block.kind == "toml" and tomllib is not None:
                self.parse(block, tomllib.loads)
            elif block.kind == "python":
                self.parse(block, lambda text: compile(text, "block", "exec"))
            elif block.kind == "yaml" and yaml is not None:
                self.parse(block, yaml.safe_load)
            elif block.kind == "csv":
                if len({len(row) for row in csv.reader(block.text.splitlines()) if row}) != 1:
                    self.wrong(block, "its rows differ in length")
            elif block.kind == "text" and block.one("not compared") is None:
                before = self.blocks[number - 1] if number > 0 else None
                if before is None or before.kind != "sh":
                    self.wrong(block, "no block `sh` in front of it prints it")
                else:
                    self.compare(block, (folder / f"{number - 1}.out").read_text())
        return self.mistakes

    @staticmethod
    def isJson(text):
        try:
            json.loads(text)
            return True
        except ValueError:
            return False

    def parse(self, block, parser):
        try:
            parser(block.text)
        except (ValueError, SyntaxError, *([yaml.YAMLError] if yaml else [])) as error:
            self.wrong(block, f"it is no {block.kind}: {error}")

    def checking(self, block, number):
        """Commands that check a block of a .pipe file."""
        file, *settings = (block.one("in") or "dsl_examples/tasks/maintenance_words.pipe").split(" ", 1)
        text = block.text
        if not re.search(r"^pipe \d", text, re.M):
            if block.one("in") is None:
                return f"echo 'blocks of a file without a comment `in: FILE`' >&2; false"
            text = woven((self.options.source / file).read_text(), text)
        path = pathlib.Path(block.one("file") if block.one("in") and block.one("file") else pathlib.Path(file).parent / f"docs_block_{number}.pipe")
        (self.scratch / path).write_text(text)
        return f"penstock check {path} {' '.join(settings)}"

    def compiling(self, block, number):
        text = block.text
        if block.kind == "c":
            if "#include" not in text:
                text = f"#include <stdio.h>\n#include \"work_order.h\"\nint main(void) {{\n{text}return 0;\n}}\n"
            command = ["-x", "c", "-std=c11"]
        else:
            command = ["-std=c++20"]
        path = self.scratch / ".blocks" / f"{number}.{block.kind}"
        path.write_text(text)
        sdk = self.options.source / "plugins/sdk/include"
        return f"{self.options.compiler} {' '.join(command)} -Wall -Werror -fsyntax-only -Iartifact -I{sdk} -I{self.options.source} {path}"

    def compare(self, block, printed):
        differ = block.one("numbers differ") is not None
        plain = lambda line: re.sub(r" +", " ", NUMBER.sub("N", line) if differ else line).rstrip()
        wanted = [plain(line) for line in block.text.rstrip().splitlines()]
        pattern = "\n".join(r"(?:.*\n)*?.*" if line.strip() == "..." else re.escape(line) for line in wanted)
        if re.fullmatch(pattern, "\n".join(plain(line) for line in printed.rstrip().splitlines())) is None:
            self.wrong(block, f"the commands in front of it print\n{printed}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("document")
    parser.add_argument("--compiler", default="c++")
    parser.add_argument("--keep", type=pathlib.Path, help="run in this folder, which must not exist, and leave it")
    parser.add_argument("--cache", type=pathlib.Path, help="the folder of compiled programs; by default one of its own")
    options = parser.parse_args()
    options.build, options.source = options.build.resolve(), options.source.resolve()
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        if options.keep:
            options.keep.mkdir(parents=True)
            scratch = options.keep.resolve()
        document = Document(options, scratch)
        mistakes = document.run()
    for mistake in mistakes:
        print(mistake)
    counts = {kind: sum(block.kind == kind for block in document.blocks) for kind in sorted(KINDS)}
    print(f"{options.document}: {', '.join(f'{count} {kind}' for kind, count in counts.items() if count)}: {len(mistakes)} mistakes")
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
