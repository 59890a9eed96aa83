#include "tests/unit/emit/fixture.h"

#include "compiler/emit/emit.h"

#include "mlir/Parser/Parser.h"

#include "runtime/base/program_rows.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <unistd.h>

namespace penstock::test {

Emitted::~Emitted() {
  if (mapped) {
    dlclose(mapped);
  }
  if (!path.empty()) {
    ::unlink(path.c_str());
  }
}

const PenstockEntry *Emitted::entry(const std::string &name) const {
  for (int i = 0; program && i < program->entries.count; ++i) {
    if (const PenstockEntry &entry = entriesOf(*program)[i]; name == entry.name) {
      return &entry;
    }
  }
  return nullptr;
}

std::vector<std::string> runnableLevels() {
  std::vector<std::string> levels;
  if (__builtin_cpu_supports("x86-64-v3")) {
    levels.push_back("avx2");
  }
  if (__builtin_cpu_supports("x86-64-v4")) {
    levels.push_back("avx512");
  }
  if (__builtin_cpu_supports("x86-64-v4") && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("amx-bf16")) {
    levels.push_back("amx");
  }
  return levels;
}

Result<std::unique_ptr<Emitted>> emit(const std::string &module, ProgramTable table, const std::string &level) {
  mlir::DialectRegistry registry;
  registerEmitDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  mlir::OwningOpRef<mlir::ModuleOp> parsed = mlir::parseSourceString<mlir::ModuleOp>(module, &context);
  if (!parsed) {
    return internalError("the test's module does not parse");
  }
  auto emitted = std::make_unique<Emitted>();
  static int number = 0;
  emitted->path = (std::filesystem::temp_directory_path() / fmt::format("penstock-emit-{}-{}.so", ::getpid(), number++)).string();
  llvm::raw_string_ostream ir(emitted->llvmText), assembly(emitted->assembly);
  EmitTimes times;
  EmitOptions options;
  options.level = level;
  options.output = emitted->path;
  options.llvmText = &ir;
  options.assembly = &assembly;
  options.times = &times;
  PENSTOCK_TRY(emitSharedLibrary(*parsed, table, options));
  const double seconds[] = {times.lower, times.translate, times.generate, times.link};
  std::copy(std::begin(seconds), std::end(seconds), emitted->seconds);
  const std::vector<std::string> runnable = runnableLevels();
  if (std::find(runnable.begin(), runnable.end(), level) == runnable.end()) {
    return emitted;
  }
  emitted->mapped = dlopen(emitted->path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!emitted->mapped) {
    return internalError(std::string("dlopen: ") + dlerror());
  }
  const auto getter = reinterpret_cast<PenstockProgramFunction>(dlsym(emitted->mapped, "penstock_program"));
  if (!getter) {
    return internalError("penstock_program is not exported");
  }
  emitted->program = getter();
  return emitted;
}

std::string memrefFromPointer(const std::string &name, const std::string &pointer, const std::string &size) {
  return fmt::format(R"(
    %{0}0 = llvm.mlir.poison : !llvm.struct<(ptr, ptr, i64, array<1 x i64>, array<1 x i64>)>
    %{0}1 = llvm.insertvalue %{1}, %{0}0[0] : !llvm.struct<(ptr, ptr, i64, array<1 x i64>, array<1 x i64>)>
    %{0}2 = llvm.insertvalue %{1}, %{0}1[1] : !llvm.struct<(ptr, ptr, i64, array<1 x i64>, array<1 x i64>)>
    %{0}z = llvm.mlir.constant(0 : i64) : i64
    %{0}o = llvm.mlir.constant(1 : i64) : i64
    %{0}3 = llvm.insertvalue %{0}z, %{0}2[2] : !llvm.struct<(ptr, ptr, i64, array<1 x i64>, array<1 x i64>)>
    %{0}4 = llvm.insertvalue %{2}, %{0}3[3, 0] : !llvm.struct<(ptr, ptr, i64, array<1 x i64>, array<1 x i64>)>
    %{0}5 = llvm.insertvalue %{0}o, %{0}4[4, 0] : !llvm.struct<(ptr, ptr, i64, array<1 x i64>, array<1 x i64>)>
    %{0} = builtin.unrealized_conversion_cast %{0}5 : !llvm.struct<(ptr, ptr, i64, array<1 x i64>, array<1 x i64>)> to memref<?xf32>
)",
                     name, pointer, size);
}

std::string operandsOfCall() {
  const auto load = [](const char *name, const char *from, std::size_t offset, const char *type) {
    return fmt::format("    %{0}.at = llvm.getelementptr inbounds %{1}[{2}] : (!llvm.ptr) -> !llvm.ptr, i8\n"
                       "    %{0} = llvm.load %{0}.at : !llvm.ptr -> {3}\n",
                       name, from, offset, type);
  };
  return load("a.p", "call", offsetof(PenstockCall, parameters), "!llvm.ptr") +
         load("b.p", "call", offsetof(PenstockCall, states), "!llvm.ptr") +
         load("o.p", "call", offsetof(PenstockCall, outputs), "!llvm.ptr") + load("o.q", "o.p", 0, "!llvm.ptr") +
         load("k.p", "call", offsetof(PenstockCall, block), "!llvm.ptr") + load("n", "k.p", offsetof(PenstockStepBlock, step), "i64");
}

std::string mapModule(const std::string &body) {
  return "func.func @penstock_step_map(%call: !llvm.ptr, %numbers: !llvm.ptr) {\n" + operandsOfCall() +
         memrefFromPointer("ma", "a.p", "n") + memrefFromPointer("mb", "b.p", "n") + memrefFromPointer("mo", "o.q", "n") + R"(
    func.call @map(%ma, %mb, %mo) : (memref<?xf32>, memref<?xf32>, memref<?xf32>) -> ()
    return
}
#id = affine_map<(d0) -> (d0)>
func.func private @map(%x: memref<?xf32>, %y: memref<?xf32>, %z: memref<?xf32>) {
  linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
      ins(%x, %y : memref<?xf32>, memref<?xf32>) outs(%z : memref<?xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
)" + body +
         R"(
    linalg.yield %r : f32
  }
  return
}
)";
}

ProgramTable mapTable(const std::string &level) {
  ProgramTable table;
  table.level = level;
  ProgramTable::Entry entry;
  entry.name = "map";
  entry.steps = {{"penstock_step_map", {}}};
  entry.outputs = {{"out", {PENSTOCK_ROWS_RECORDS, -1, PENSTOCK_F32, 0, 1}}};
  table.entries = {entry};
  return table;
}

void runOn(const PenstockEntry *entry, void *a, const void *b, void *out, std::size_t count) {
  PenstockStepBlock block{};
  block.struct_size = sizeof block;
  block.step = count;
  PenstockCall call{};
  call.struct_size = sizeof call;
  call.workers = 1;
  call.parameters = static_cast<float *>(a);
  call.states = static_cast<float *>(const_cast<void *>(b));
  call.block = &block;
  void *outputs[] = {out};
  call.outputs = outputs;
  penstock_run_entry(entry, &call);
}

void runMap(const Emitted &emitted, const float *a, const float *b, float *out, std::size_t count) {
  runOn(emitted.entry("map"), const_cast<float *>(a), b, out, count);
}

} // namespace penstock::test
