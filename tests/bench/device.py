"""All that a machine with an NVIDIA card is asked, most valuable first, in one table. Called as device.sh, which says how.

`pack` makes the folder .device (git does not know it) with one archive: the command, its compiler with LLVM and lld, plugins, the tests that a card
runs, the fake driver, 500 texts of each data set and a vocabulary. Checkout and archive together are below 64 MiB. On the machine nothing is
built: it needs a driver, Python 3.9, and for the peer a Python with PyTorch and `tokenizers` (PY, by default python3). Weights are random.

A part that fails or outlasts its time leaves the others alone. Parts, in their order:
  doctor     what was found
  values     the tests of the library's kernels and the conformance records on the card: against float64 and the CPU's bits
  emulator   20 steps of the examples: the weights are the emulator's, bit for bit, and the losses the CPU's
  training   MiniLM's and BERT-base's shapes on reviews and work orders, bf16 and fp32: tokens a second, losses beside the CPU's
  rows       answers in bf16 of texts alone and among others
  peer       the same training by PyTorch (peer_torch_bert.py)
  kernels    cuda_kernels_bench
  profile    `train --profile`
  sanitizer  compute-sanitizer: memcheck and racecheck of the tests; left out where it is missing or refuses the card

OUT gets device.txt (the table), device.json (the same), kernels.txt, profile.txt and log.txt (the ends of what failed). The exit code is 1
where values are wrong, 4 where there is no card.
"""

import argparse
import concurrent.futures
import csv
import ctypes
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import bits  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACK = ROOT / ".device"
ARCHIVE = PACK / "built.tar.xz"
STARTED = time.monotonic()
MOST_BYTES = 64 << 20  # of checkout and archive
LIMIT = 520  # seconds of all parts
TEXTS = {"train": 500, "dev": 60, "test": 60}
KERNEL_TESTS = ("matmul", "segments", "attention", "conv1d", "crf")
CONFORMANCE = {"compiled": 6, "axes": 1, "batch_norm": 1, "apply": 1, "optimizer": 2}  # in so many processes
# Folder and column of the classes; what stands for it where nothing is packed.
SETS = {"reviews": ("reviews_en", "label"), "orders": ("work_orders", "failure")}
FAKE_SETS = {"orders": ("maintenance", "label")}
SHAPES = {"base": (12, 768, 12), "minilm": (12, 384, 12), "tiny": (1, 32, 2)}
# How far losses may be from the CPU's, of their size.
NEAR = {"fp32": 1e-4, "bf16": 2e-2}
COMPARED = 6  # steps
# What the fake driver runs of it.
FAKE_FILTERS = {"cuda_matmul": "*Together", "cuda_segments": "*Pooling*", "cuda_attention": "*AllDropped*", "cuda_conv1d": "*Largest*",
                "cuda_crf": "*", "conformance_compiled": "*Alone*/matmul_cuda:*Alone*/residual_block_cuda"}
# A history of thousands of steps says nothing more of a card.
FILTER = "-DeferredRows.SettleWhenTheirHistoryIsFull"
FAKE_EXAMPLES = ("maintenance_words", "failure_table")
LEFT_OUT = {"bf16_emulated", "killed", "killed_best"}


def driver_file():
    """NVIDIA's driver: where the loader finds it, or where machines without an entry for the loader have it."""
    for name in ("libcuda.so.1", "/usr/local/nvidia/lib64/libcuda.so.1", "/usr/lib/x86_64-linux-gnu/libcuda.so.1"):
        try:
            ctypes.CDLL(name)
            return name
        except OSError:
            pass
    return "libcuda.so.1"


class Machine:
    """Where what was built lies, and how it is run."""

    def __init__(self, built, fake, scratch):
        self.built, self.fake, self.scratch = built, fake, scratch
        self.deadline = STARTED + LIMIT
        self.log = []
        data = ROOT / "dsl_examples/data" if fake else built / "data"
        self.sets = {name: (data / folder, label) for name, (folder, label) in (FAKE_SETS if fake else SETS).items()}
        self.vocab = ROOT / "tests/golden/encoders/fixtures/bert/vocab.txt" if fake else data / "vocab.txt"
        carried = {"LD_LIBRARY_PATH": built / "lib", "PATH": built / "bin"} if built != ROOT / "build" else {}
        libraries = {name: f"{folder}:{os.environ.get(name, '')}".rstrip(":") for name, folder in carried.items()}
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PENSTOCK_")}
        self.base = {**clean, "PENSTOCK_CACHE": str(scratch / "cache"), **libraries}
        driver = built / "lib/libpenstock_fake_cuda.so"
        self.emulator = {"PENSTOCK_CUDA_DRIVER": str(driver), "PENSTOCK_CUDA_CODE": "emulated"}
        self.card = {**self.emulator, "PENSTOCK_FAKE_CUDA_MULTIPROCESSORS": "7"} if fake else {"PENSTOCK_CUDA_DRIVER": driver_file()}

    def left(self):
        return self.deadline - time.monotonic()

    def run(self, command, seconds, environment=None, **more):
        """The process, ended; its code is None where it outlasted its time. What ended badly is in the log."""
        command, begin = [str(part) for part in command], time.monotonic()
        whole = {**self.base, **(self.card if environment is None else environment)}
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=max(1, min(seconds, self.left())),
                                  env=whole, **more)
        except subprocess.TimeoutExpired as late:
            texts = [(text or b"").decode(errors="replace") for text in (late.stdout, late.stderr)]
            done = subprocess.CompletedProcess(command, None, *texts)
        done.seconds = time.monotonic() - begin
        if done.returncode != 0:
            end = "outlasted its time" if done.returncode is None else f"exit code {done.returncode}"
            self.log.append(f"== {' '.join(command)}: {end} after {done.seconds:.1f} s\n{done.stdout[-2500:]}\n{done.stderr[-2500:]}\n")
        return done

    def train(self, file, out, settings, seconds, environment=None, arguments=()):
        command = [self.built / "bin/penstock", "train", file, "--quiet", "--checkpoint-every", 1e6, "--out", out, *arguments]
        for setting in settings:
            command += ["--set", setting]
        return self.run(command, seconds, environment)


class Table:
    """Rows of part, what, result and note, shown as they come. `wrong` counts values that are not what they must be."""

    def __init__(self, out):
        self.out, self.rows, self.wrong = out, [], 0

    def add(self, part, what, result, note="", good=None):
        if good is False:
            self.wrong += 1
            result = f"WRONG: {result}"
        self.rows.append({"part": part, "what": what, "result": str(result), "note": str(note)})
        print(f"{part:<10} {what:<44} {result}{'   ' if note else ''}{note}", flush=True)
        self.write()

    def write(self):
        widths = [max(len(row[name]) for row in self.rows) for name in ("part", "what", "result")]
        lines = [f"{row['part']:<{widths[0]}}  {row['what']:<{widths[1]}}  {row['result']:<{widths[2]}}  {row['note']}".rstrip() for row in self.rows]
        (self.out / "device.txt").write_text("\n".join(lines) + "\n")
        (self.out / "device.json").write_text(json.dumps(self.rows, indent=1) + "\n")


def doctor(machine, table):
    done = machine.run([machine.built / "bin/penstock", "doctor", "--json"], 60)
    try:
        said = json.loads(done.stdout)
    except json.JSONDecodeError:
        table.add("doctor", "`penstock doctor`", "failed", done.stderr[-200:], good=False)
        return False
    for name in ("processor", "cores", "cuda driver", "cuda", "MLIR"):
        table.add("doctor", name, said.get(name, {}).get("value", "not there"))
    return "cuda" in said


def values(machine, table):
    """The tests in some processes side by side; a row a test program."""
    programs = {**{f"cuda_{name}": 1 for name in KERNEL_TESTS}, **{f"conformance_{name}": shards for name, shards in CONFORMANCE.items()}}
    if machine.fake:
        programs = {name: 1 for name in programs if name in FAKE_FILTERS}
    jobs = [(name, shard, shards) for name, shards in programs.items() for shard in range(shards)]

    def work(job):
        name, shard, shards = job
        folder = pathlib.Path(tempfile.mkdtemp(dir=machine.scratch))
        environment = {**machine.card, "TEST_TMPDIR": f"{folder}/", "GTEST_SHARD_INDEX": str(shard), "GTEST_TOTAL_SHARDS": str(shards)}
        chosen = FAKE_FILTERS[name] if machine.fake else FILTER
        done = machine.run([machine.built / f"tests/{name}_test", f"--gtest_filter={chosen}"], 120, environment)
        ended = re.findall(r"^\[ +(OK|FAILED|SKIPPED) +\] (\S+?),? .*\(\d+ ms\)$", done.stdout, re.MULTILINE)
        return done.returncode, len(ended), [test for how, test in ended if how == "FAILED"], done.seconds

    with concurrent.futures.ThreadPoolExecutor(2 if machine.fake else 12) as pool:
        results = list(zip(jobs, pool.map(work, jobs)))
    for name in programs:
        mine = [result for (program, *_), result in results if program == name]
        count, failed = sum(result[1] for result in mine), [test for result in mine for test in result[2]]
        late = any(result[0] is None for result in mine)
        good = count > 0 and all(result[0] == 0 for result in mine)
        note = ", ".join(failed[:4]) + (f" and {len(failed) - 4} more" if len(failed) > 4 else "")
        table.add("values", f"{name}_test", f"{count - len(failed)} of {count}{' and more, which had no time' if late else ''}",
                  note or f"{max(result[3] for result in mine):.0f} s", good=None if late and not failed else good)


def emulator(machine, table):
    """Trains examples on the card, the emulator and the CPU."""
    folder = machine.scratch / "examples"
    folder.mkdir()
    bits.write_data(folder)
    cases = {name: case for name, case in bits.cases(folder).items() if name not in LEFT_OUT and (not machine.fake or name in FAKE_EXAMPLES)}

    def run(name, side):
        file, own = cases[name]
        trains = re.search(r"^train\b", file.read_text(), re.MULTILINE)
        common = [f"train.steps={bits.STEPS}", "train.validate=never", "train.keep=last"] if trains else []
        device = [] if side == "cpu" else ["target.device=cuda"]
        environment = {"cpu": {}, "emulator": machine.emulator, "card": machine.card}[side]
        out = folder / f"{name}.{side}"
        done = machine.train(file, out, [*common, *own, *device], 100, environment, ("--level", "avx2") if side == "cpu" else ())
        if done.returncode != 0:
            return None
        lines = (out / "metrics.jsonl").read_text().splitlines() if (out / "metrics.jsonl").exists() else []
        losses = [line["loss"] for line in map(json.loads, lines) if "learning_rate" in line and "loss" in line]
        return bits.tensors(out / "model.safetensors"), losses

    jobs = [(name, side) for name in cases for side in ("cpu", "emulator", "card")]
    with concurrent.futures.ThreadPoolExecutor(2 if machine.fake else 14) as pool:
        results = dict(zip(jobs, pool.map(lambda job: run(*job), jobs)))
    other, far, failed, worst = [], [], [], 0.0
    for name in cases:
        card, emulated, cpu = (results[name, side] for side in ("card", "emulator", "cpu"))
        if None in (card, emulated, cpu):
            failed.append(name)
            continue
        if card[0] != emulated[0]:
            other.append(name)
        distance = max((abs(a - b) / max(abs(b), 1e-3) for a, b in zip(card[1], cpu[1], strict=True)), default=0.0)
        worst = max(worst, distance)
        if distance > NEAR["fp32"]:
            far.append(name)
    table.add("emulator", "examples that train on the card", f"{len(cases) - len(failed)} of {len(cases)}", ", ".join(failed), good=not failed)
    table.add("emulator", "whose weights are the emulator's", f"{len(cases) - len(failed) - len(other)} of {len(cases) - len(failed)}",
              ", ".join(other), good=not other)
    table.add("emulator", "losses from the CPU's, at most", f"{worst:.1e}", ", ".join(far), good=not far)


def settings_of(machine, shape, which, precision, steps):
    layers, hidden, heads = SHAPES[shape]
    folder, label = machine.sets[which]
    return [f"data={folder}", f"label_column={label}", f"vocab={machine.vocab}", f"layers={layers}",
            f"hidden={hidden}", f"heads={heads}", f"train.steps={steps}", "train.schedule=constant", "train.validate=never", "train.keep=last",
            "evaluate.dev=[accuracy]", "evaluate.test=[accuracy]", f"target.precision={precision}"]


def steps_of(out):
    return [line for line in map(json.loads, (out / "metrics.jsonl").read_text().splitlines()) if "learning_rate" in line]


def speed_of(lines):
    """Real tokens a second of the later half: graphs are recorded and clocks are up."""
    return statistics.harmonic_mean([line["tokens_per_second"] for line in lines[len(lines) // 2:]])


def training(machine, table):
    file = ROOT / "dsl_examples/tasks/sentiment_bert_scratch.pipe"
    shapes, steps = (["tiny"], 8) if machine.fake else (["base", "minilm"], 320)
    for shape in shapes:
        for which in machine.sets:
            cpu = machine.scratch / f"{shape}-{which}-cpu"
            machine.train(file, cpu, settings_of(machine, shape, which, "fp32", COMPARED), 45, {})
            for precision in ("bf16", "fp32"):
                out = machine.scratch / f"{shape}-{which}-{precision}"
                what = f"{shape}, {which}, {precision}"
                done = machine.train(file, out, [*settings_of(machine, shape, which, precision, steps), "target.device=cuda"], 60)
                if done.returncode != 0:
                    table.add("training", what, "failed", done.stderr[-160:].strip(), good=False)
                    continue
                lines = steps_of(out)
                note = f"{done.seconds:.0f} s in all"
                good = None
                if (cpu / "metrics.jsonl").exists():
                    pairs = list(zip(steps_of(cpu), lines))
                    distance = max(abs(a["loss"] - b["loss"]) / abs(a["loss"]) for a, b in pairs)
                    note += f"; losses from the CPU's in {len(pairs)} steps: {distance:.1e}"
                    good = distance <= NEAR[precision]
                table.add("training", what, f"{speed_of(lines):,.0f} tokens/s", note, good=good)
                if (shape, which, precision) != (shapes[0], "orders", "bf16"):  # whose answers are asked
                    shutil.rmtree(out)
            shutil.rmtree(cpu, ignore_errors=True)


def rows(machine, table):
    """In bf16 on the card an answer does not depend on the texts beside it."""
    run = machine.scratch / f"{'tiny' if machine.fake else 'base'}-orders-bf16"
    if not (run / "model.safetensors").exists():
        table.add("rows", "answers alone and among others", "left out", "there is no trained run")
        return
    texts = [row["text"].replace("\n", " ") for row in csv.DictReader(open(machine.sets["orders"][0] / "train.csv", newline="", encoding="utf-8"))]
    texts = texts[:20 if machine.fake else 200]
    answers = []
    for order in (texts, texts[::-1], texts[7:8]):
        done = machine.run([machine.built / "bin/penstock", "predict", run], 60, input="".join(f"{text}\n" for text in order))
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        if done.returncode != 0 or len(lines) != len(order):
            table.add("rows", "answers alone and among others", "failed", done.stderr[-160:].strip(), good=False)
            return
        answers.append([{key: value for key, value in line.items() if key != "row"} for line in lines])
    same = answers[0] == answers[1][::-1] and answers[0][7:8] == answers[2]
    table.add("rows", "answers alone and among others", "the same bits" if same else "differ", f"{len(texts)} texts, bf16", good=same)


def peer(machine, table):
    python, script = os.environ.get("PY", "python3"), ROOT / "tests/bench/peer_torch_bert.py"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PENSTOCK_")}
    asked = subprocess.run([python, "-c", "import torch, tokenizers; print(torch.cuda.is_available())"], capture_output=True, text=True, env=environment)
    if asked.returncode != 0 or "True" not in asked.stdout:
        table.add("peer", "PyTorch", "left out", f"`{python}` has no PyTorch with a card" if asked.returncode == 0 else f"`{python}` lacks torch or tokenizers")
        return
    orders = [("base", "reviews", ["eager", "flash"], 45), ("base", "orders", ["eager", "flash"], 45), ("base", "reviews", ["compiled"], 110),
              ("base", "orders", ["compiled"], 80), ("minilm", "reviews", ["eager", "flash", "fp32"], 45), ("minilm", "orders", ["eager", "flash"], 30)]
    for shape, which, modes, seconds in orders:
        if machine.left() < 110:  # the parts behind it
            table.add("peer", f"{shape}, {which}, {', '.join(modes)}", "left out", "no time")
            continue
        folder, label = machine.sets[which]
        command = [python, script, "--data", folder, "--label", label, "--vocab", machine.vocab, "--shape", shape, "--seconds", 2, *modes]
        done = machine.run(command, min(seconds, machine.left() - 90), {"LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", "")})
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        for line in lines:
            result = f"{line['tokens_s']:,.0f} tokens/s" if "tokens_s" in line else "left out"
            table.add("peer", f"{shape}, {which}, {line['mode']}", result, line.get("missing") or f"{line['peer']}, {line['ms_a_step']:.2f} ms a step")
        for mode in modes[len(lines):]:
            table.add("peer", f"{shape}, {which}, {mode}", "left out", "it had no time" if done.returncode is None else "it failed: log.txt")


def kernels(machine, table):
    done = machine.run([machine.built / "bench/cuda_kernels_bench", *(["--small"] if machine.fake else [])], 60)
    (table.out / "kernels.txt").write_text(done.stdout)
    lines = done.stdout.splitlines()[2:]
    table.add("kernels", "cuda_kernels_bench", f"{len(lines)} lines" if done.returncode == 0 else "failed", "kernels.txt")
    for line in lines:
        if not machine.fake and (" 1136 x 768 x 3072" in line or "16 x 71, 12 x 64, dropout" in line or line.startswith("pack")):
            table.add("kernels", line[:46].strip(), " ".join(line[46:].split()), "us, TFLOP/s, GB/s, of its roof")


def profile(machine, table):
    shape = "tiny" if machine.fake else "base"
    settings = [*settings_of(machine, shape, "orders" if machine.fake else "reviews", "bf16", 6 if machine.fake else 64), "target.device=cuda"]
    done = machine.train(ROOT / "dsl_examples/tasks/sentiment_bert_scratch.pipe", machine.scratch / "profiled", settings, 60, arguments=("--profile",))
    (table.out / "profile.txt").write_text(done.stdout)
    first = next((line for line in done.stdout.splitlines() if line.startswith("profile of")), "failed")
    table.add("profile", f"{shape}, bf16", first.partition(": ")[2] or first, "profile.txt")


def sanitizer(machine, table):
    tool = shutil.which("compute-sanitizer") or ("/usr/local/cuda/bin/compute-sanitizer" if pathlib.Path("/usr/local/cuda/bin/compute-sanitizer").exists() else None)
    if tool is None or machine.fake:
        table.add("sanitizer", "compute-sanitizer", "left out", "there is none" if tool is None else "there is no card")
        return
    programs = {f"cuda_{name}_test": [machine.built / f"tests/cuda_{name}_test"] for name in KERNEL_TESTS}
    train = [machine.built / "bin/penstock", "train", ROOT / "dsl_examples/tasks/sentiment_bert_scratch.pipe", "--quiet"]
    for setting in [*settings_of(machine, "tiny", "orders", "bf16", 3), "target.device=cuda"]:
        train += ["--set", setting]
    programs["train"] = train
    for test, check in [(test, check) for test in programs for check in ("memcheck", "racecheck")]:
        if machine.left() < 12:
            table.add("sanitizer", f"{check}, {test}", "left out", "no time")
            continue
        own = ["--out", machine.scratch / check] if test == "train" else []
        done = machine.run([tool, "--tool", check, "--error-exitcode", 99, *programs[test], *own], 40)
        text = done.stdout + done.stderr
        found = re.search(r"(?:ERROR|RACECHECK) SUMMARY: (\d+) (?:error|hazard)", text)
        if found is None:
            refused = next((line for line in text.splitlines() if "not supported" in line or "rror" in line), "")
            table.add("sanitizer", f"{check}, {test}", "left out", "it had no time" if done.returncode is None else refused[:120])
            if "not supported" in text:
                return
        else:
            table.add("sanitizer", f"{check}, {test}", f"{found.group(1)} found", f"{done.seconds:.0f} s", good=found.group(1) == "0")


PARTS = (values, emulator, training, rows, peer, kernels, profile, sanitizer)


def measure(built, fake, out):
    out.mkdir(parents=True, exist_ok=True)
    table = Table(out)
    with tempfile.TemporaryDirectory() as scratch:
        machine = Machine(built, fake, pathlib.Path(scratch))
        card = doctor(machine, table)
        if card:
            for part in PARTS:
                begin = time.monotonic()
                if machine.left() < 5:
                    table.add(part.__name__, "", "left out", "no time")
                    continue
                try:
                    part(machine, table)
                except Exception as error:  # a part that fails leaves the others alone
                    machine.log.append(f"== {part.__name__}: {type(error).__name__}: {error}\n")
                    table.add(part.__name__, "", f"failed: {type(error).__name__}: {error}", good=False)
                machine.log.append(f"== {part.__name__}: {time.monotonic() - begin:.1f} s\n")
        table.add("end", "wrong", table.wrong, f"{LIMIT - machine.left():.0f} s")
        (out / "log.txt").write_text("".join(machine.log))
    return 4 if not card else 1 if table.wrong else 0


def texts(source, to):
    """The first texts of each file."""
    to.mkdir(parents=True)
    for split, most in TEXTS.items():
        with open(source / f"{split}.csv", newline="", encoding="utf-8") as file:
            rows = [row for row, _ in zip(csv.reader(file), range(most + 1))]
        with open(to / f"{split}.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)


def needed(files):
    """Libraries that these load and a machine may lack: not those of the C and C++ library, nor what only libxml2 loads."""
    known = re.compile(r"/(ld-linux|libc|libm|libdl|libpthread|libstdc\+\+|libgcc_s|libpenstock_compiler|libicu\w+|liblzma)[.-]")
    found = set()
    for file in files:
        said = subprocess.run(["ldd", file], capture_output=True, text=True, check=True).stdout
        found |= {path for path in re.findall(r"=> (/\S+)", said) if not known.search(path)}
    return sorted(found)


def stand_in(library, users, to):
    """A library of the same name and symbols in which each function ends the process: LLVM names it and what we ask of LLVM never calls it."""
    names = {}
    for user in users:
        listed = subprocess.run(["nm", "-D", "--undefined-only", "--with-symbol-versions", user], capture_output=True, text=True, check=True).stdout
        defined = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
        own = {line.split()[-1].split("@")[0] for line in defined.splitlines()}
        for name, _, version in (line.split()[-1].partition("@") for line in listed.splitlines()):
            if name in own:
                names.setdefault(version, set()).add(name)
    functions = "\n".join(f"void {name}(void) {{ __builtin_trap(); }}" for group in names.values() for name in sorted(group))
    script = "\n".join(f"{version} {{ global: {'; '.join(sorted(group))}; }};" for version, group in names.items() if version)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "a.c").write_text(functions + "\n")
        (folder / "a.map").write_text(script + "\n")
        subprocess.run(["clang-22", "-shared", "-fPIC", "-w", "-nostdlib", f"-Wl,-soname,{to.name}", *([f"-Wl,--version-script={folder / 'a.map'}"] if script else []),
                        "-o", to, folder / "a.c"], check=True)


def pack(data, vocab):
    built = ROOT / "build"
    shutil.rmtree(PACK, ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        to = pathlib.Path(scratch) / "built"
        tests = [f"tests/cuda_{name}_test" for name in KERNEL_TESTS] + [f"tests/conformance_{name}_test" for name in CONFORMANCE]
        files = ["bin/penstock", "lib/libpenstock_compiler.so", "lib/libpenstock_fake_cuda.so", "bench/cuda_kernels_bench", *tests]
        files += [str(path.relative_to(built)) for path in (built / "plugins").glob("*/*.so")]
        for name in files:
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["strip", "-o", to / name, built / name], check=True)
        shutil.copy(os.path.realpath(shutil.which("ld.lld-22")), to / "bin/ld.lld")
        for manifest in (built / "plugins").glob("*/plugin.toml"):
            shutil.copy(manifest, to / manifest.relative_to(built))
        libraries = needed([built / name for name in files if name.startswith(("bin", "lib", "tests"))])
        llvm = [path for path in libraries if pathlib.Path(path).name.startswith("libLLVM")]
        for path in libraries:
            name = pathlib.Path(path).name
            if name.startswith(("libz3", "libxml2")):
                stand_in(path, llvm, to / "lib" / name)
            else:
                shutil.copy(path, to / "lib" / name)
        for folder, _ in SETS.values():
            texts(data / folder, to / "data" / folder)
        shutil.copy(vocab, to / "data/vocab.txt")
        PACK.mkdir()
        (PACK / ".gitignore").write_text("*\n")
        order = sorted((path for path in to.rglob("*") if path.is_file()), key=lambda path: (path.suffix, path.parent.name != "tests", path.name))
        names = "".join(f"{path.relative_to(to)}\n" for path in order)
        with open(ARCHIVE, "wb") as file:
            tar = subprocess.Popen(["tar", "-c", "-C", to, "-T", "-", "-f", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            xz = subprocess.Popen(["xz", "-T1", "--x86", "--lzma2=preset=6,dict=96MiB", "-c"], stdin=tar.stdout, stdout=file)
            tar.stdin.write(names.encode())
            tar.stdin.close()
            if tar.wait() != 0 or xz.wait() != 0:
                sys.exit("tar or xz failed")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    tree = sum((ROOT / os.fsdecode(name)).stat().st_size for name in tracked if name and (ROOT / os.fsdecode(name)).exists())
    size = ARCHIVE.stat().st_size
    print(f"{ARCHIVE}: {size / 2**20:.1f} MiB; with the checkout {(size + tree) / 2**20:.1f} of 64 MiB")
    return 0 if size + tree < MOST_BYTES else 1


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--fake", action="store_true")
    parser.add_argument("--built", type=pathlib.Path, default=ROOT / "build", help="where the command and tests lie")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT.parent / "shared/data/prepared")
    parser.add_argument("--vocab", type=pathlib.Path, default=ROOT.parent / "shared/data/tokenizers/bert-base-uncased/vocab.txt")
    parser.add_argument("out", nargs="?", default="build/device-results")
    options = parser.parse_args()
    if options.out == "pack":
        return pack(options.data, options.vocab)
    out = pathlib.Path(options.out).resolve()
    with tempfile.TemporaryDirectory() as folder:
        if options.fake:
            return measure(options.built, True, out)
        if not ARCHIVE.exists():
            sys.exit(f"there is no {ARCHIVE}: `tests/bench/device.sh pack` makes it where penstock was built")
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(folder)
        print(f"unpacked in {time.monotonic() - STARTED:.1f} s")
        return measure(pathlib.Path(folder), False, out)


if __name__ == "__main__":
    sys.exit(main())
