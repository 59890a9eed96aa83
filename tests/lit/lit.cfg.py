# One configuration for every folder below: a test is a .pipe, .mlir or .test file with RUN lines.
#
# On the path: penstock, pipe-opt, FileCheck, not, count. Substitutions beside lit's own:
#   %examples  dsl_examples of this checkout
#   %inputs    the folder Inputs beside the test
#   %shared    the folder of fixtures (feature `shared`: it is there)
#   %python    the interpreter that runs lit
# Features: `compiler` (pipe-opt was built), `avx512`, `shared`.
import os
import sys

import lit.formats

source = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
build = os.path.realpath(lit_config.params.get("build", os.path.join(source, "build")))
llvm = lit_config.params.get("llvm_tools", "/usr/lib/llvm-22/bin")
shared = os.path.realpath(os.environ.get("PENSTOCK_SHARED", os.path.join(source, "..", "shared")))

config.name = "penstock"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".pipe", ".mlir", ".test"]
config.excludes = ["Inputs"]
config.test_source_root = os.path.dirname(os.path.realpath(__file__))
config.test_exec_root = os.path.join(build, "tests", "lit")

config.environment["PATH"] = os.pathsep.join(
    [os.path.join(build, "bin"), llvm, os.environ.get("PATH", "/usr/bin:/bin")])
# A test never reads or fills the cache of the person who runs it.
config.environment["XDG_CACHE_HOME"] = os.path.join(config.test_exec_root, "cache")
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "PENSTOCK_PLUGIN_PATH", "PENSTOCK_LEVEL"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

config.substitutions.append(("%examples", os.path.join(source, "dsl_examples")))
config.substitutions.append(("%inputs", "%S/Inputs"))
config.substitutions.append(("%shared", shared))
config.substitutions.append(("%python", sys.executable))
config.recursiveExpansionLimit = 2

if os.path.exists(os.path.join(build, "bin", "pipe-opt")):
    config.available_features.add("compiler")
if os.path.isdir(shared):
    config.available_features.add("shared")
try:
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        if "avx512f" in info.read():
            config.available_features.add("avx512")
except OSError:
    pass
