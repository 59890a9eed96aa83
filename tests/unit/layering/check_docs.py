#!/usr/bin/env python3
"""Check the documents: every relative link leads to a file, and the task that the README shows is the one in dsl_examples.

  check_docs.py --source ROOT
"""

import argparse
import pathlib
import re
import sys

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)]*)?\)")
SHOWN = "dsl_examples/tasks/maintenance_words.pipe"


def markdownFiles(root):
    yield from sorted(root.glob("*.md"))
    for folder in ("docs", "dsl_examples", "plugins"):
        yield from sorted((root / folder).rglob("*.md"))


def brokenLinks(root):
    for file in markdownFiles(root):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            for target, _ in LINK.findall(line):
                if "://" not in target and not (file.parent / target).exists():
                    yield f"{file.relative_to(root)}:{number}: links to `{target}`, which is not there"


def entries(text):
    """The lines that mean something: without comments, blank lines and layout."""
    bare = (re.sub(r"\s+", " ", line.split("#")[0]).strip() for line in text.splitlines())
    return [line for line in bare if line]


def staleExample(root):
    blocks = re.findall(r"```pipe\n(.*?)```", (root / "README.md").read_text(encoding="utf-8"), re.S)
    shown = entries(blocks[0]) if blocks else []
    if shown != entries((root / SHOWN).read_text(encoding="utf-8")):
        yield f"README.md: the task that it shows differs from {SHOWN}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    root = parser.parse_args().source.resolve()
    found = [*brokenLinks(root), *staleExample(root)]
    for line in found:
        print(line)
    print(f"{len(found)} mistakes in the documents")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
