"""A plugin outside of the tree: its manifest, and the library that the compiler makes of one source file.

A script that imports this is called as SCRIPT BUILD SOURCE COMPILER [unittest arguments].
"""

import subprocess
import sys

from case import BUILD, SOURCE

COMPILER = sys.argv[3]


def build(folder, name, kind, source, manifest, flags=(), summary="a plugin of a test"):
    """Makes `folder` with both; `source` is below tests/e2e, `manifest` what the kind has beside the common keys."""
    folder.mkdir(parents=True)
    folder.joinpath("plugin.toml").write_text(
        f'name = "{name}"\nkind = "{kind}"\nversion = "1.0.0"\nabi = "2.0"\nsummary = "{summary}"\n{manifest}\n')
    subprocess.run([COMPILER, "-std=c++20", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", *flags, f"-I{BUILD / 'include'}",
                    f"-I{SOURCE / 'plugins/sdk/include'}", str(SOURCE / "tests/e2e" / source), "-o", str(folder / f"lib{name}.so")], check=True)
