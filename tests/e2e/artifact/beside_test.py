#!/usr/bin/env python3
"""Artifacts of runs with plugins that are not of the tree, as `penstock plugin new` makes them: their libraries lie beside or in the one
file, and are compared before they are loaded.

  beside_test.py BUILD SOURCE COMPILER [unittest arguments]
"""

import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402

COMPILER = sys.argv[3]
PIPELINE = """pipe 1
pipeline beside
data {
  source: csv("{split}.csv")
  column text  = text()
  column label = class()
}
model { answer = text |> letters(buckets: 37) |> embedding(5) |> pool(mean) |> chooses(label) }
train { steps: 3, batch: 7 }
"""


class Beside(case.Case):
    EXAMPLES = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for kind, name in (("tokenizer", "letters"), ("head", "chooses")):
            made = subprocess.run([case.PENSTOCK, "plugin", "new", name, "--kind", kind, "--out", cls.folder / "projects" / name], capture_output=True, text=True)
            assert made.returncode == 0, made.stderr
            cls.library(name)
        rows = [f"pump {i} leaks at valve {i % 5},{'failure' if i % 3 else 'routine'}\n" for i in range(41)]
        for split in ("train", "dev", "test"):
            (cls.folder / f"{split}.csv").write_text("text,label\n" + "".join(rows))
        (cls.folder / "beside.pipe").write_text(PIPELINE)

    @classmethod
    def library(cls, name, *flags):
        project, folder = cls.folder / "projects" / name, cls.folder / "plugins" / name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(project / "plugin.toml", folder)
        subprocess.run([COMPILER, "-std=c++20", "-O1", "-shared", "-fPIC", "-fvisibility=hidden", f"-I{case.BUILD / 'include'}",
                        f"-I{case.SOURCE / 'plugins/sdk/include'}", project / f"{name}.cpp", "-o", folder / f"lib{name}.so", *flags], check=True)

    def command(self, *arguments, **more):
        return self.penstock("--plugins", self.folder / "plugins", *arguments, **more)

    def run_folder(self):
        out = self.folder / "run"
        if not out.exists():
            self.command("train", "beside.pipe", "--quiet", "--out", out)
        return out

    def build(self, *more, expect=0):
        out = self.folder / ("artifact" + "".join(more))
        return out, self.command("build", self.run_folder(), "--out", out, *more, expect=expect)

    def answer(self, artifact, expect=0):
        done = subprocess.run([artifact / "beside", "--input", self.folder / "test.csv", "--json"], capture_output=True, text=True, timeout=60, cwd="/",
                              env={"PATH": "/bin"})
        self.assertEqual(done.returncode, expect, done.stderr)
        return done

    def test_answers_are_those_of_the_run(self):
        expected = self.command("predict", self.run_folder(), "--input", "test.csv", "--json").stdout
        self.assertEqual(expected.count("\n"), 41)
        for more in ([], ["--single-file"]):
            with self.subTest(more):
                artifact, said = self.build(*more)
                self.assertEqual(self.answer(artifact).stdout, expected)
                versions = subprocess.run(["readelf", "-V", "-W", self.folder / "plugins/letters/libletters.so"], capture_output=True, text=True, check=True).stdout
                newest = max(tuple(map(int, version.split("."))) for version in re.findall(r"GLIBC_([0-9.]+)", versions))
                note = f"needs glibc {'.'.join(map(str, newest))}, the rest of the artifact 2.28"
                self.assertEqual(note in said.stderr, newest > (2, 28), said.stderr)
                self.assertEqual({file.name for file in artifact.iterdir()},
                                 {"beside", "beside.h"} if more else {"beside", "beside.h", "libbeside.so", "weights.bin", "manifest.toml", "plugins"})
        self.assertEqual({file.name for file in (self.folder / "artifact/plugins").iterdir()}, {"tokenizer-letters.so", "head-chooses.so"})
        self.assertIn('plugins = ["tokenizer letters","head chooses"]', (self.folder / "artifact/manifest.toml").read_text())
        moved = self.folder / "moved"  # into a place of its own, without the plugins that it was built of
        shutil.move(self.folder / "artifact", moved)
        self.assertEqual(self.answer(moved).stdout, expected)
        shutil.copytree(moved, self.folder / "artifact")
        self.build()  # takes the place of an artifact with its plugins

    def test_a_library_that_is_not_the_one(self):
        artifact, _ = self.build()
        broken = self.folder / "broken"
        shutil.copytree(artifact, broken)
        library = broken / "plugins/tokenizer-letters.so"
        data = bytearray(library.read_bytes())
        data[len(data) // 2] ^= 1
        for content in (data, data[:100], b"", None):
            library.unlink()
            if content is not None:
                library.write_bytes(content)
            done = self.answer(broken, expect=4)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertIn("plugins/tokenizer-letters.so", done.stderr)
            if content is None:
                break
        one, _ = self.build("--single-file")
        whole = (one / "beside").read_bytes()
        at = whole.index(b"bucket ", whole.index(b"PENSTOCK BUNDLE"))
        shutil.copytree(one, self.folder / "broken-one")
        (self.folder / "broken-one/beside").write_bytes(whole[:at] + b"B" + whole[at + 1:])
        done = self.answer(self.folder / "broken-one", expect=4)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn("tokenizer letters", done.stderr)

    def test_a_library_that_needs_another(self):
        run = self.run_folder()
        (self.folder / "helper.c").write_text("int helper(void) { return 7; }\n")
        subprocess.run([COMPILER.replace("++", ""), "-shared", "-fPIC", self.folder / "helper.c", "-o", self.folder / "libhelper.so"], check=True)
        self.library("letters", "-Wl,--no-as-needed", f"-L{self.folder}", "-lhelper", f"-Wl,-rpath,{self.folder}")
        try:
            for more in ([], ["--single-file"]):
                done = self.command("build", run, "--out", "nothing", *more, expect=1)
                self.assertIn("the tokenizer `letters` needs `libhelper.so`", done.stderr)
                self.assertFalse((self.folder / "nothing").exists())
        finally:
            self.library("letters")

    def test_a_folder_of_plugins_alone_is_no_artifact(self):
        mine = self.folder / "mine"
        shutil.copytree(self.folder / "plugins", mine / "plugins")
        self.assertIn("holds `plugins`", self.command("build", self.run_folder(), "--out", mine, expect=4).stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
