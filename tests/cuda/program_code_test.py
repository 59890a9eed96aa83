#!/usr/bin/env python3
"""The kernels of compiled programs become machine code: by ptxas, without registers spilled, and, of one program, by nvJitLink.

  program_code_test.py BUILD SOURCE
"""

import os
import pathlib
import subprocess
import sys
import tempfile

BUILD, SOURCE = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
sys.path[:0] = [str(SOURCE / "tests/bench"), str(SOURCE / "tests/cuda")]
import bits  # noqa: E402
import nvjitlink  # noqa: E402
import ptxas  # noqa: E402

CASES = ("bert_base", "ner_bert", "sentiment_cnn", "failure_table", "crf", "deferred_rows", "clip_norm", "several_answers")
LINKED = CASES[0]
# A register that ptxas puts aside for a call of its own functions (a division); not for want of registers.
MOST_SPILLED = 8


def textOf(case, folder):
    """The PTX of the program."""
    file, settings = case
    command = [BUILD / "bin/penstock", "compile", file, "--emit", "asm"]
    for setting in [*settings, "target.device=cuda"]:
        command += ["--set", setting]
    environment = {**os.environ, "PENSTOCK_CACHE": str(folder / "cache"), "PENSTOCK_CUDA_DRIVER": str(BUILD / "lib/libpenstock_fake_cuda.so")}
    environment.pop("PENSTOCK_CUDA_CODE", None)
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    text, host, _ = done.stdout.partition("\n\t.file\t")
    if not host or ".version" not in text or ".entry" not in text:
        raise RuntimeError("the assembly does not begin with PTX")
    return text


def main():
    assembler, linker = ptxas.assembler(), nvjitlink.opened()
    if assembler is None and linker is None:
        print("skipped: there is neither ptxas nor nvJitLink")
        return 77
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        (folder / "data").mkdir()
        bits.write_data(folder / "data")
        cases = bits.cases(folder / "data")
        file, settings = cases["sentiment_bert_scratch"]
        kept = [setting for setting in settings if not setting.startswith(("hidden", "heads"))]
        cases["bert_base"] = (file, [*kept, "hidden=768", "heads=12", "target.precision=bf16"])
        for name in CASES:
            try:
                text = textOf(cases[name], folder)
                file = folder / f"{name}.ptx"
                file.write_text(text)
                rows = [(architecture, *row) for architecture in ptxas.ARCHITECTURES if assembler
                        for row in ptxas.assembled(assembler, file, architecture)]
                if linker is not None and name == LINKED:
                    for architecture in nvjitlink.ARCHITECTURES:
                        nvjitlink.bytesOfCode(linker, text.encode(), architecture)
            except RuntimeError as error:
                print(f"{name}: {error}")
                failed += 1
                continue
            spilled = [row for row in rows if row[4] > MOST_SPILLED]
            for architecture, kernel, registers, _, count in spilled:
                print(f"{name}: {kernel} for {architecture} spills {count} bytes beside {registers} registers")
            failed += len(spilled)
            print(f"{name}: {text.count('.entry ')} kernels, at most {max((row[2] for row in rows), default=0)} registers")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
