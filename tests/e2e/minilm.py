"""Where the pretrained MiniLM lies that `tools/dev model minilm` fetches; for tests and benchmarks."""

import os
import pathlib

HINT = "there is no MiniLM; `tools/dev model minilm` fetches it, or PENSTOCK_MINILM names its folder"


def folder():
    """The folder, or None: then a test is skipped with HINT."""
    cache = os.environ.get("PENSTOCK_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "penstock")
    path = pathlib.Path(os.environ.get("PENSTOCK_MINILM") or os.path.join(cache, "models/minilm")).absolute()
    return path if (path / "model.safetensors").is_file() else None
