#include "tests/unit/emit/fixture.h"

#include "compiler/emit/emit.h"

#include "mlir/Parser/Parser.h"

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
  for (int i = 0; program && i < program->entry_count; ++i) {
    if (name == program->entries[i].name) {
      return &program->entries[i];
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

Result<std::unique_ptr<Emitted>> emit(const std::string &module, const ProgramTable &table, const std::string &level) {
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

std::string mapModule(const std::string &body) {
  const auto field = [](const char *name, std::size_t offset) {
    return fmt::format("    %{0}.at = llvm.getelementptr inbounds %call[{1}] : (!llvm.ptr) -> !llvm.ptr, i8\n", name, offset);
  };
  return "func.func @penstock_step_map(%call: !llvm.ptr, %numbers: !llvm.ptr) {\n" + field("a", offsetof(PenstockCall, parameters)) +
         field("b", offsetof(PenstockCall, states)) + field("o", offsetof(PenstockCall, outputs)) +
         field("n", offsetof(PenstockCall, step)) + R"(
    %a.p = llvm.load %a.at : !llvm.ptr -> !llvm.ptr
    %b.p = llvm.load %b.at : !llvm.ptr -> !llvm.ptr
    %o.p = llvm.load %o.at : !llvm.ptr -> !llvm.ptr
    %o.q = llvm.load %o.p : !llvm.ptr -> !llvm.ptr
    %n = llvm.load %n.at : !llvm.ptr -> i64
)" + memrefFromPointer("ma", "a.p", "n") +
         memrefFromPointer("mb", "b.p", "n") + memrefFromPointer("mo", "o.q", "n") + R"(
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

void runMap(const Emitted &emitted, const float *a, const float *b, float *out, std::size_t count) {
  PenstockCall call{};
  call.struct_size = sizeof call;
  call.workers = 1;
  call.parameters = const_cast<float *>(a);
  call.states = const_cast<float *>(b);
  void *outputs[] = {out};
  call.outputs = outputs;
  call.step = count;
  penstock_run_entry(emitted.entry("map"), &call);
}

} // namespace penstock::test
