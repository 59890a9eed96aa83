"""What the benchmarks against a peer share: where things lie, how a side is run, and how it is refused.

Environment: PY (a python that has the peer's packages, default python3), PENSTOCK_SHARED (folder of fixtures, default ../shared), THREADS
(default: all cores), ROUNDS (default 3).
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PENSTOCK = ROOT / "build/bin/penstock"
SHARED = pathlib.Path(os.environ.get("PENSTOCK_SHARED", ROOT / "../shared")).resolve()
DATA = SHARED / "data/prepared"
PY = os.environ.get("PY", "python3")
THREADS = os.environ.get("THREADS", str(os.cpu_count()))
ROUNDS = int(os.environ.get("ROUNDS", "3"))


def skip(why):
    print(f"skipped: {why}")
    sys.exit(0)


def require(peer, *modules):
    """Skips where the command, the peer's script or its packages are not there."""
    if not PENSTOCK.exists():
        skip("build/bin/penstock was not built")
    if not peer.exists():
        skip(f"there is no {peer}; PENSTOCK_SHARED names the folder of fixtures")
    if subprocess.run([PY, "-c", f"import {', '.join(modules)}"], capture_output=True).returncode != 0:
        skip(f"`{PY}` has no {' and '.join(modules)}; PY names one that has")


class Finished:
    """A command that ended well: its output, its user time, its peak memory in MB and, where `until` is given, the seconds until that file
    had content."""

    def __init__(self, command, until=None, **environment):
        start = time.monotonic()
        process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, **environment})
        self.seconds, ended = None, (0, 0, None)
        while until is not None and self.seconds is None and ended[0] == 0:
            if until.exists() and until.stat().st_size > 0:
                self.seconds = time.monotonic() - start
            time.sleep(0.002)
            ended = os.wait4(process.pid, os.WNOHANG)
        self.output, errors = process.stdout.read(), process.stderr.read()
        _, status, usage = ended if ended[0] != 0 else os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.megabytes, self.user = usage.ru_maxrss / 1024, usage.ru_utime
        if process.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))}\n{errors[-2000:]}")


def train(name, run, settings, **environment):
    """Trains an example. The result's `speed`: real tokens a second, the median of its steps after the first third."""
    command = [PENSTOCK, "train", ROOT / f"dsl_examples/tasks/{name}.pipe", "--quiet", "--out", run, "--set", f"target.threads={THREADS}"]
    for setting in settings:
        command += ["--set", setting]
    done = Finished(command, until=run / "metrics.jsonl", **environment)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    speeds = [line["tokens_per_second"] for line in lines if "tokens_per_second" in line]
    done.speed = statistics.median(speeds[len(speeds) // 3:])
    return done


def peer(script, *arguments):
    """The line of JSON that a peer prints."""
    environment = {"OMP_NUM_THREADS": THREADS, "MKL_NUM_THREADS": THREADS, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    return json.loads(Finished([PY, script, *arguments], **environment).output.splitlines()[-1])
