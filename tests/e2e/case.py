"""What the tests of the command share: a folder of their own with a cache of their own, and the command run in it.

A script that imports this is called as SCRIPT BUILD SOURCE [unittest arguments].
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD, SOURCE = (pathlib.Path(name).resolve() for name in sys.argv[1:3])
PENSTOCK = BUILD / "bin/penstock"
# Fixtures that are too large for the repository.
SHARED = pathlib.Path(os.environ.get("PENSTOCK_SHARED", SOURCE.parent / "shared")).resolve()

# What an artifact needs of a machine.
SYSTEM_LIBRARIES = {"libc.so.6", "libdl.so.2", "libpthread.so.0", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2"}


class Case(unittest.TestCase):
    EXAMPLES = True  # whether `folder` gets a copy of dsl_examples

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        if cls.EXAMPLES:
            shutil.copytree(SOURCE / "dsl_examples", cls.folder / "dsl_examples")
        cls.tasks = cls.folder / "dsl_examples/tasks"
        cls.data = cls.folder / "dsl_examples/data"
        # Whatever cache the caller has, this one counts.
        cls.environment = {**os.environ, "PENSTOCK_CACHE": str(cls.folder / "cache")}

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def penstock(self, *arguments, expect=0, text=None, timeout=300):
        """Runs the command to its end; `expect` is its exit code, None where any will do."""
        done = subprocess.run([str(PENSTOCK), *map(str, arguments)], capture_output=True, text=True, input=text or "", timeout=timeout,
                              cwd=self.folder, env=self.environment)
        if expect is not None:
            said = f"penstock {' '.join(map(str, arguments))}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
            self.assertEqual(done.returncode, expect, said)
        return done

    def in_root(self, root, command, compiler, text=""):
        """Runs a command in a root that holds the system's libraries beside what is there; `compiler` knows where they are."""
        for library in SYSTEM_LIBRARIES:
            path = subprocess.run([compiler, f"-print-file-name={library}"], capture_output=True, text=True, check=True).stdout.strip()
            for place in ("lib64", "lib/x86_64-linux-gnu"):
                (root / place).mkdir(parents=True, exist_ok=True)
                shutil.copy(os.path.realpath(path), root / place / library)
        command = ["chroot", str(root), *command]
        if os.geteuid() != 0:
            command = ["unshare", "-r", *command]
        done = subprocess.run(command, capture_output=True, text=True, input=text, timeout=60)
        if done.returncode != 0 and "not permitted" in done.stderr.lower():
            self.skipTest("this machine lets nobody change the root: " + done.stderr.strip())
        self.assertEqual(done.returncode, 0, done.stderr)
        return done
