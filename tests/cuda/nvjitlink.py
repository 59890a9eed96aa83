#!/usr/bin/env python3
"""Make machine code of PTX by nvJitLink, which is the driver's compiler without a driver: every *.ptx of the folders, for sm_80 and sm_90a.

  nvjitlink.py FOLDER...

The library is PENSTOCK_NVJITLINK, libnvJitLink.so.13 or .12, or the one of /usr/local/cuda; without one the test is skipped (77).
"""

import ctypes
import os
import pathlib
import sys

ARCHITECTURES = ("sm_80", "sm_90a")
PTX = 2  # NVJITLINK_INPUT_PTX


def opened():
    names = [os.environ.get("PENSTOCK_NVJITLINK"), "libnvJitLink.so.13", "libnvJitLink.so.12", "/usr/local/cuda/lib64/libnvJitLink.so"]
    for name in filter(None, names):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def function(library, name):
    """The function by its name, which some versions give a suffix."""
    for suffix in ("", "_13_0", "_12_9", "_12_8", "_12_6", "_12_4", "_12_3", "_12_2", "_12_1", "_12_0"):
        try:
            return getattr(library, f"__{name}{suffix}" if suffix else name)
        except AttributeError:
            continue
    raise RuntimeError(f"nvJitLink has no {name}")


def bytesOfCode(library, text, architecture):
    """The size of the machine code; an error holds what nvJitLink says."""
    handle = ctypes.c_void_p()
    options = (ctypes.c_char_p * 1)(f"-arch={architecture}".encode())
    if function(library, "nvJitLinkCreate")(ctypes.byref(handle), 1, options) != 0:
        raise RuntimeError(f"nvJitLink does not know {architecture}")
    data = text + b"\0"  # its size holds the NUL
    failed = function(library, "nvJitLinkAddData")(handle, PTX, data, ctypes.c_size_t(len(data)), b"kernels") or function(
        library, "nvJitLinkComplete")(handle)
    size = ctypes.c_size_t()
    if failed:
        function(library, "nvJitLinkGetErrorLogSize")(handle, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value + 1)
        function(library, "nvJitLinkGetErrorLog")(handle, log)
        raise RuntimeError(log.value.decode(errors="replace"))
    function(library, "nvJitLinkGetLinkedCubinSize")(handle, ctypes.byref(size))
    function(library, "nvJitLinkDestroy")(ctypes.byref(handle))
    return size.value


def main():
    library = opened()
    if library is None:
        print("skipped: there is no nvJitLink (PENSTOCK_NVJITLINK, libnvJitLink.so.13 or .12)")
        return 77
    files = [file for folder in sys.argv[1:] for file in sorted(pathlib.Path(folder).rglob("*.ptx"))]
    failed = 0
    for file in files:
        for architecture in ARCHITECTURES:
            try:
                size = bytesOfCode(library, file.read_bytes().rstrip(b"\0"), architecture)
                if size == 0:
                    raise RuntimeError("no machine code")
            except RuntimeError as error:
                print(f"{file} for {architecture}: {error}")
                failed += 1
    print(f"{len(files)} files for {len(ARCHITECTURES)} architectures, {failed} failed")
    return 1 if failed or not files else 0


if __name__ == "__main__":
    sys.exit(main())
