#!/usr/bin/env python3
"""The layering check finds what it is there to find, and nothing else."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import check_layering  # noqa: E402

COMPILER = os.environ.get("CC", "clang-22")
FORBIDDEN = [
    ("runtime/exec/a.cpp", "<mlir/IR/Builders.h>"),
    ("runtime/exec/a.cpp", '"llvm/ADT/SmallVector.h"'),
    ("runtime/exec/a.cpp", '"compiler/frontend/typed_pipeline.h"'),
    ("plugins/heads/classify/a.cpp", '"mlir/IR/Builders.h"'),
    ("plugins/heads/classify/a.cpp", '"runtime/base/status.h"'),
    ("plugins/heads/classify/a.cpp", '"plugins/heads/regress/b.h"'),
    ("compiler/frontend/a.cpp", '"mlir/IR/Builders.h"'),
    ("compiler/diagnostics/a.h", "<llvm/Support/Error.h>"),
    ("compiler/frontend/a.cpp", '"compiler/dialect/Nn/Nn.h"'),
    ("compiler/frontend/check/search.cpp", '"compiler/frontend/check/records.h"'),
    ("compiler/frontend/check/unknown.cpp", '"compiler/frontend/check/value.h"'),
    ("compiler/emit/a.cpp", '"runtime/device/thread_pool.h"'),
    ("runtime/abi/a.h", "<string>"),
    ("runtime/abi/a.h", '"runtime/base/status.h"'),
    ("runtime/base/a.h", "<boost/dll.hpp>"),
    ("runtime/exec/a.cpp", "<dnnl.hpp>"),
    ("runtime/data/a.cpp", "<boost/dll.hpp>"),
    ("tools/penstock/main.cpp", "<mlir/IR/Builders.h>"),
]
ALLOWED = [
    ("runtime/kernels/onednn/a.cpp", "<dnnl.hpp>"),
    ("runtime/plugin/a.cpp", "<boost/dll/shared_library.hpp>"),
    ("runtime/exec/a.cpp", '"runtime/device/thread_pool.h"'),
    ("runtime/abi/a.h", "<stdint.h>"),
    ("plugins/heads/classify/a.cpp", '"plugins/sdk/head.h"'),
    ("plugins/heads/classify/a.cpp", '"runtime/abi/plugin_abi.h"'),
    ("plugins/heads/classify/a.cpp", "<vector>"),
    ("compiler/frontend/check/training.cpp", '"compiler/frontend/check/records.h"'),
    ("compiler/emit/a.cpp", "<mlir/IR/Builders.h>"),
    ("compiler/emit/a.cpp", '"runtime/abi/program_abi.h"'),
    ("tools/pipe-opt/a.cpp", "<mlir/IR/Builders.h>"),
    ("tools/penstock/train.cpp", '"runtime/exec/trainer.h"'),
]


class Layering(unittest.TestCase):
    def findingsOf(self, path, text):
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            (root / path).parent.mkdir(parents=True)
            (root / path).write_text(text)
            return list(check_layering.checkIncludes(root))

    def testForbidden(self):
        for path, header in FORBIDDEN:
            with self.subTest(path=path, header=header):
                found = self.findingsOf(path, f"// a comment\n#include {header}\n")
                self.assertEqual(len(found), 1)
                self.assertTrue(found[0].startswith(f"{path}:2: "), found)

    def testAllowed(self):
        for path, header in ALLOWED:
            with self.subTest(path=path, header=header):
                self.assertEqual(self.findingsOf(path, f"#include {header}\n"), [])

    def testHeadersOfTheAbi(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name) / "runtime/abi"
            folder.mkdir(parents=True)
            (folder / "limits.h").write_text("#define PENSTOCK_LIMIT 3\n")
            (folder / "good.h").write_text("#include <stdint.h>\ntypedef struct Good { int64_t size; } Good;\n")
            (folder / "bad.h").write_text("struct Bad { int64_t size; };\nnamespace a {}\n")
            found = list(check_layering.checkHeadersAreC(pathlib.Path(name), COMPILER))
            self.assertTrue(found)
            self.assertTrue(all(line.startswith("runtime/abi/bad.h: ") for line in found), found)

    def testLongFile(self):
        self.assertEqual(self.findingsOf("runtime/a.cpp", "\n" * 800), [])
        self.assertEqual(len(self.findingsOf("runtime/a.cpp", "\n" * 900)), 1)

    def testTopLevel(self):
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            (root / "notes.txt").write_text("")
            subprocess.run(["git", "init", "-q", name], check=True)
            subprocess.run(["git", "-C", name, "add", "notes.txt"], check=True)
            found = list(check_layering.checkTopLevel(root))
            self.assertIn("notes.txt: does not belong at the top of the repository", found)
            self.assertIn("README.md: is missing at the top of the repository", found)

    def testLinks(self):
        with tempfile.TemporaryDirectory() as name:
            build = pathlib.Path(name)
            (build / "bin").mkdir()
            self.assertEqual(len(list(check_layering.checkLinks(build))), 1)
            (build / "bin/penstock").write_bytes(pathlib.Path("/bin/ls").read_bytes())
            self.assertEqual(list(check_layering.checkLinks(build)), [])


if __name__ == "__main__":
    unittest.main()
