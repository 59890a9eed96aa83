#!/usr/bin/env python3
"""What is installed: `cmake --install`, the archive and the Debian package, each used from a folder of its own with the build out of sight.

  install_test.py BUILD SOURCE [unittest arguments]
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402


class Install(case.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        done = subprocess.run(["cpack", "--config", case.BUILD / "CPackConfig.cmake", "-B", cls.folder / "packages", "-G", "TGZ;DEB"],
                              cwd=cls.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        cls.packages = {file.suffix: file for file in (cls.folder / "packages").iterdir() if file.suffix in (".deb", ".gz")}

    def use(self, prefix):
        """Trains, predicts, builds an artifact and answers, with what lies below `prefix` alone."""
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "PENSTOCK_CACHE": str(prefix / "cache")}
        command = prefix / "bin/penstock"
        self.assertNotIn(str(case.BUILD), os.path.realpath(command))

        def run(*arguments, text=""):
            done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True, input=text, cwd=prefix, env=environment, timeout=300)
            self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-2000:])
            return done.stdout

        run(command, "train", self.tasks / "maintenance_words.pipe", "--quiet", "--out", prefix / "run", "--set", "train.epochs=2")
        answer = run(command, "predict", prefix / "run", text="pump leaks oil\n")
        run(command, "build", prefix / "run", "--out", prefix / "artifact", "--name", "orders")
        self.assertEqual(run(prefix / "artifact/orders", text="pump leaks oil\n"), answer)
        self.assertIn("words", run(command, "plugin", "list"))
        for file in ("man/man1/penstock-train.1", "bash-completion/completions/penstock", "zsh/site-functions/_penstock",
                     "fish/vendor_completions.d/penstock.fish"):
            self.assertIn("keep-checkpoints", (prefix / "share" / file).read_text().replace("\\-", "-"), file)
        opened = subprocess.run(["strace", "-f", "-e", "trace=openat", str(command), "plugin", "list"], capture_output=True, text=True, env=environment) \
            if shutil.which("strace") else None
        if opened is not None and opened.returncode == 0:
            self.assertNotIn(str(case.BUILD), opened.stderr)

    def test_installed(self):
        prefix = self.folder / "installed"
        subprocess.run(["cmake", "--install", case.BUILD, "--prefix", prefix, "--strip"], check=True, capture_output=True)
        self.use(prefix)

    def test_archive(self):
        place = self.folder / "unpacked"
        place.mkdir()
        subprocess.run(["tar", "-xzf", self.packages[".gz"], "-C", place], check=True)
        self.use(next(place.rglob("bin/penstock")).parents[1])

    def test_debian_package(self):
        fields = subprocess.run(["dpkg-deb", "-f", self.packages[".deb"], "Depends"], capture_output=True, text=True, check=True).stdout
        for needed in ("libc6", "libstdc++6", "libutf8proc2", "lld-22"):
            self.assertTrue(re.search(rf"(^|, ){re.escape(needed)}\b", fields), fields)
        place = self.folder / "package"
        subprocess.run(["dpkg-deb", "-x", self.packages[".deb"], place], check=True)
        self.use(place / "usr")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
