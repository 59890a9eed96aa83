#include "tests/unit/emit/fixture.h"

#include "compiler/driver/fatal_errors.h"

#include "runtime/base/program_rows.h"
#include "llvm/Support/ErrorHandling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>

using namespace penstock;
using namespace penstock::test;

namespace {

std::vector<float> numbers(std::size_t count, unsigned seed, float scale = 3) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(count);
  for (float &value : values) {
    value = normal(random);
  }
  return values;
}

std::string run(const std::string &command) {
  std::FILE *pipe = popen(command.c_str(), "r");
  std::string text;
  char buffer[4096];
  while (std::size_t got = std::fread(buffer, 1, sizeof buffer, pipe)) {
    text.append(buffer, got);
  }
  pclose(pipe);
  return text;
}

const char *const sum = "%r = arith.addf %a, %b : f32";

TEST(Emit, AddsTwoArraysThroughTheCall) {
  for (const std::string &level : runnableLevels()) {
    auto emitted = emit(mapModule(sum), mapTable(level), level);
    ASSERT_TRUE(emitted.ok()) << emitted.status().message();
    for (const std::size_t count : {0, 1, 7, 31, 1009}) {
      const std::vector<float> a = numbers(count, 1), b = numbers(count, 2);
      std::vector<float> out(count + 1, -5);
      runMap(**emitted, a.data(), b.data(), out.data(), count);
      for (std::size_t i = 0; i < count; ++i) {
        ASSERT_EQ(out[i], a[i] + b[i]) << level << " " << i;
      }
      EXPECT_EQ(out[count], -5);
    }
  }
}

TEST(Emit, CodeIsMadeForTheLevelAsked) {
  for (const std::string level : {"avx2", "avx512", "amx"}) {
    auto emitted = emit(mapModule(sum), mapTable(level), level);
    ASSERT_TRUE(emitted.ok()) << emitted.status().message();
    EXPECT_NE((*emitted)->assembly.find("ymm"), std::string::npos) << level;
    EXPECT_EQ((*emitted)->assembly.find("zmm") != std::string::npos, level != "avx2") << level;
    EXPECT_NE((*emitted)->llvmText.find("define internal"), std::string::npos);
  }
}

void expectType(const PenstockValueType *type, const ProgramTable::ValueType &expected) {
  EXPECT_EQ(type->struct_size, sizeof(PenstockValueType));
  EXPECT_EQ(type->rows, expected.rows);
  EXPECT_EQ(type->axis, expected.axis);
  EXPECT_EQ(type->element, expected.element);
  EXPECT_EQ(type->fixed_rows, expected.fixedRows);
  EXPECT_EQ(type->width, expected.width);
}

TEST(Emit, EveryFieldOfTheTables) {
  ProgramTable table = mapTable("avx2");
  table.axes = {{"words", -1, {}}, {"[3, 7]", 0, {3, 7}}};
  table.inputs = {{"text", {PENSTOCK_ROWS_AXIS, 1, PENSTOCK_U8, 0, 5}, false},
                  {"label", {PENSTOCK_ROWS_RECORDS, -1, PENSTOCK_I32, 0, 1}, true}};
  table.tensors = {{"answer.weight", PENSTOCK_PARAMETER, {3, 5}, 64, 15, PENSTOCK_INIT_UNIFORM, 0.125f, true},
                   {"adam.m/answer.weight", PENSTOCK_STATE, {3, 5}, 0, 15, PENSTOCK_INIT_ZEROS, 0, false},
                   {"mean", PENSTOCK_FITTED, {}, 128, 1, PENSTOCK_INIT_CONSTANT, -2.5f, false}};
  table.tensors[1].notice = "counted";
  table.parameterElements = 79;
  table.stateElements = 17;
  table.fittedElements = 129;
  table.dispatches = {{"matmul", {3, 5, -1}}, {"nothing", {}}};
  table.symbols = {"penstock_parallel_for", "penstock_matmul"};
  table.entries[0].arena = {1024, 12, 4096, {8, std::int64_t(1) << 40}};
  table.entries[0].steps = {{"penstock_step_map", {7, -3}}, {"penstock_step_map", {}}, {"penstock_step_map", {std::int64_t(1) << 41}}};
  table.entries[0].outputs = {{"loss", {PENSTOCK_ROWS_ONE, -1, PENSTOCK_F32, 0, 1}},
                              {"answer.probabilities", {PENSTOCK_ROWS_AXIS, 0, PENSTOCK_F32, 0, 3}},
                              {"table", {PENSTOCK_ROWS_FIXED, -1, PENSTOCK_F32, 11, 13}},
                              {"other", {PENSTOCK_ROWS_ONE, -1, PENSTOCK_F32, 0, 1}}};
  auto emitted = emit(mapModule(sum), table, "avx2");
  ASSERT_TRUE(emitted.ok()) << emitted.status().message();
  const PenstockProgram &p = *(*emitted)->program;
  EXPECT_EQ(p.struct_size, sizeof p);
  EXPECT_EQ(p.abi_major, PENSTOCK_PROGRAM_ABI_MAJOR);
  EXPECT_EQ(p.abi_minor, PENSTOCK_PROGRAM_ABI_MINOR);
  EXPECT_STREQ(p.level, "avx2");
  const auto axes = axesOf(p);
  ASSERT_EQ(axes.size(), 2u);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(axes[i].struct_size, sizeof(PenstockAxis));
    EXPECT_EQ(axes[i].name, table.axes[i].name);
    EXPECT_EQ(axes[i].parent, table.axes[i].parent);
    EXPECT_EQ(std::vector(axes[i].extents, axes[i].extents + axes[i].extent_count), table.axes[i].extents);
  }
  const auto inputs = inputsOf(p);
  ASSERT_EQ(inputs.size(), 2u);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(inputs[i].name, table.inputs[i].name);
    expectType(inputs[i].type, table.inputs[i].type);
    EXPECT_EQ(inputs[i].target, table.inputs[i].target);
  }
  const auto tensors = tensorsOf(p);
  ASSERT_EQ(tensors.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    const ProgramTable::Tensor &expected = table.tensors[i];
    EXPECT_EQ(tensors[i].name, expected.name);
    EXPECT_EQ(tensors[i].tensor_class, expected.tensorClass);
    EXPECT_EQ(std::vector(tensors[i].shape, tensors[i].shape + tensors[i].rank), expected.shape);
    EXPECT_EQ(tensors[i].offset, expected.offset);
    EXPECT_EQ(tensors[i].elements, expected.elements);
    EXPECT_EQ(tensors[i].initializer, expected.initializer);
    EXPECT_EQ(tensors[i].init_scale, expected.scale);
    EXPECT_EQ(tensors[i].decays, expected.decays);
  }
  ASSERT_EQ(noticesOf(p).size(), 1u);
  EXPECT_EQ(noticesOf(p)[0].tensor, 1);
  EXPECT_STREQ(noticesOf(p)[0].text, "counted");
  EXPECT_TRUE(codeOf(p).empty());
  EXPECT_EQ(p.code.stride, sizeof(PenstockDeviceCode));
  EXPECT_EQ(p.parameter_elements, 79);
  EXPECT_EQ(p.state_elements, 17);
  EXPECT_EQ(p.fitted_elements, 129);
  const auto dispatches = dispatchesOf(p);
  ASSERT_EQ(dispatches.size(), 2u);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(dispatches[i].kernel, table.dispatches[i].kernel);
    EXPECT_EQ(std::vector(dispatches[i].attributes, dispatches[i].attributes + dispatches[i].attribute_count),
              table.dispatches[i].attributes);
  }
  ASSERT_EQ(p.symbol_count, 2);
  EXPECT_STREQ(p.symbols[0], "penstock_parallel_for");
  EXPECT_STREQ(p.symbols[1], "penstock_matmul");
  ASSERT_EQ(entriesOf(p).size(), 1u);
  const PenstockEntry &entry = entriesOf(p)[0];
  EXPECT_STREQ(entry.name, "map");
  const auto steps = stepsOf(entry);
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_EQ(steps[0].run, steps[2].run); // steps may share code
  EXPECT_EQ(steps[0].numbers[0], 7);
  EXPECT_EQ(steps[0].numbers[1], -3);
  EXPECT_EQ(steps[2].numbers[0], std::int64_t(1) << 41);
  EXPECT_EQ(entry.arena->constant, 1024);
  EXPECT_EQ(entry.arena->per_record, 12);
  EXPECT_EQ(entry.arena->per_worker, 4096);
  EXPECT_EQ(entry.arena->per_row[0], 8);
  EXPECT_EQ(entry.arena->per_row[1], std::int64_t(1) << 40);
  const auto outputs = outputsOf(entry);
  ASSERT_EQ(outputs.size(), 4u);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(outputs[i].name, table.entries[0].outputs[i].name);
    expectType(outputs[i].type, table.entries[0].outputs[i].type);
  }
  EXPECT_EQ(outputs[0].type, outputs[3].type); // one struct for equal types
}

TEST(Emit, ATableThatContradictsItselfIsRefused) {
  ProgramTable table = mapTable("avx2");
  table.tensors = {{"w", PENSTOCK_PARAMETER, {3, 5}, 0, 14, 0, 0, false}};
  table.parameterElements = 15;
  EXPECT_EQ(emit(mapModule(sum), table, "avx2").status().code(), ErrorCode::internal);
  table = mapTable("avx2");
  table.axes = {{"tokens", -1, {}}};
  EXPECT_EQ(emit(mapModule(sum), table, "avx2").status().code(), ErrorCode::internal);
  table = mapTable("avx2");
  table.axes = {{"characters", 1, {}}, {"words", -1, {}}}; // a parent behind its axis
  table.entries[0].arena.perRow = {0, 0};
  EXPECT_EQ(emit(mapModule(sum), table, "avx2").status().code(), ErrorCode::internal);
  table = mapTable("avx2");
  table.inputs = {{"text", {PENSTOCK_ROWS_AXIS, 0, PENSTOCK_I32, 0, 1}, false}}; // there is no axis
  EXPECT_EQ(emit(mapModule(sum), table, "avx2").status().code(), ErrorCode::internal);
  table = mapTable("avx2");
  table.entries[0].steps[0].function = "absent";
  const Status status = emit(mapModule(sum), table, "avx2").status();
  EXPECT_NE(status.message().find("absent"), std::string::npos) << status.message();
}

TEST(Emit, TheLibraryNeedsNothingAndExportsOneFunction) {
  // 4 kB copied and 2 kB cleared: code generation wants memcpy and memset for these.
  const std::string module = mapModule(sum) + R"(
func.func @penstock_step_copy(%call: !llvm.ptr, %numbers: !llvm.ptr) {
)" + operandsOfCall() + R"(
  "llvm.intr.memcpy"(%a.p, %b.p, %n) <{isVolatile = false}> : (!llvm.ptr, !llvm.ptr, i64) -> ()
  %rest = llvm.getelementptr %a.p[%n] : (!llvm.ptr, i64) -> !llvm.ptr, i8
  %c7 = llvm.mlir.constant(7 : i8) : i8
  "llvm.intr.memset"(%rest, %c7, %n) <{isVolatile = false}> : (!llvm.ptr, i8, i64) -> ()
  %one = llvm.getelementptr %a.p[3] : (!llvm.ptr) -> !llvm.ptr, i8
  "llvm.intr.memmove"(%one, %a.p, %n) <{isVolatile = false}> : (!llvm.ptr, !llvm.ptr, i64) -> ()
  return
})";
  ProgramTable table = mapTable("avx2");
  ProgramTable::Entry copy;
  copy.name = "copy";
  copy.steps = {{"penstock_step_copy", {}}};
  table.entries.push_back(copy);
  auto emitted = emit(module, table, "avx2");
  ASSERT_TRUE(emitted.ok()) << emitted.status().message();
  const std::string dynamic = run("readelf -dW --dyn-syms " + (*emitted)->path);
  EXPECT_EQ(dynamic.find("NEEDED"), std::string::npos) << dynamic;
  EXPECT_EQ(dynamic.find("UND "), dynamic.rfind("UND ")) << dynamic; // the null symbol alone
  EXPECT_NE(dynamic.find("penstock_program"), std::string::npos);
  EXPECT_EQ(dynamic.find("memcpy"), std::string::npos);
  EXPECT_EQ(dynamic.find("entry_map"), std::string::npos);

  for (const std::size_t bytes : {0, 1, 5, 31, 32, 33, 97, 4099}) {
    std::vector<char> from(bytes), to(2 * bytes + 16, 1), expected;
    for (std::size_t i = 0; i < bytes; ++i) {
      from[i] = static_cast<char>(i * 31 + 2);
    }
    expected = to;
    std::memcpy(expected.data(), from.data(), bytes);
    std::memset(expected.data() + bytes, 7, bytes);
    std::memmove(expected.data() + 3, expected.data(), bytes);
    runOn((*emitted)->entry("copy"), to.data(), from.data(), nullptr, bytes);
    EXPECT_EQ(to, expected) << bytes;
  }
}

TEST(Emit, CallingAnUndefinedFunctionIsAnInternalErrorThatNamesIt) {
  const std::string module = mapModule("%r = func.call @sinf(%a) : (f32) -> f32") + "func.func private @sinf(f32) -> f32";
  const Status status = emit(module, mapTable("avx2"), "avx2").status();
  EXPECT_EQ(status.code(), ErrorCode::internal);
  EXPECT_NE(status.message().find("sinf"), std::string::npos) << status.message();
  // One that only code generation introduces.
  const Status late = emit(mapModule("%r = math.powf %a, %b : f32"), mapTable("avx2"), "avx2").status();
  EXPECT_EQ(late.code(), ErrorCode::internal);
  EXPECT_NE(late.message().find("powf"), std::string::npos) << late.message();
}

// An element's bits may not depend on whether it falls into the vector body or the tail of a loop.
TEST(Emit, VectorBodyAndTailAgreeBitForBit) {
  const std::string body = R"(
    %e = math.exp %a : f32
    %t = math.tanh %b : f32
    %f = math.erf %a : f32
    %m1 = arith.mulf %e, %t : f32
    %m2 = arith.mulf %f, %b : f32
    %s = arith.addf %m1, %m2 : f32
    %d = arith.subf %s, %m2 : f32
    %half = arith.constant 0.3333 : f32
    %q = arith.divf %d, %half : f32
    %m3 = arith.mulf %q, %a : f32
    %m4 = arith.mulf %t, %f : f32
    %m5 = arith.mulf %m4, %half : f32
    %u = arith.subf %m5, %m3 : f32
    %l0 = math.absf %u : f32
    %l = math.log %l0 : f32
    %r = arith.addf %l, %u : f32)";
  for (const std::string &level : runnableLevels()) {
    auto emitted = emit(mapModule(body), mapTable(level), level);
    ASSERT_TRUE(emitted.ok()) << emitted.status().message();
    const std::size_t count = 4099;
    const std::vector<float> a = numbers(count, 3, 2), b = numbers(count, 4, 2);
    std::vector<float> whole(count), single(count);
    runMap(**emitted, a.data(), b.data(), whole.data(), count);
    for (std::size_t i = 0; i < count; ++i) {
      runMap(**emitted, &a[i], &b[i], &single[i], 1);
    }
    EXPECT_EQ(std::memcmp(whole.data(), single.data(), count * sizeof(float)), 0) << level;
  }
}

TEST(Emit, ReductionsAreVectorized) {
  const std::string module = R"(
func.func @penstock_step_dot(%call: !llvm.ptr, %numbers: !llvm.ptr) {
)" + operandsOfCall() + memrefFromPointer("ma", "a.p", "n") +
                             memrefFromPointer("mb", "b.p", "n") + memrefFromPointer("mo", "o.q", "n") + R"(
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %size = arith.index_cast %n : i64 to index
    %zero = arith.constant 0.0 : f32
    %low = arith.constant 0xFF800000 : f32
    %s, %m = scf.for %i = %c0 to %size step %c1 iter_args(%acc = %zero, %max = %low) -> (f32, f32) {
      %x = memref.load %ma[%i] : memref<?xf32>
      %y = memref.load %mb[%i] : memref<?xf32>
      %xy = arith.mulf %x, %y : f32
      %next = arith.addf %acc, %xy : f32
      %top = arith.maximumf %max, %x : f32
      scf.yield %next, %top : f32, f32
    }
    memref.store %s, %mo[%c0] : memref<?xf32>
    memref.store %m, %mo[%c1] : memref<?xf32>
    return
})";
  for (const std::string &level : runnableLevels()) {
    ProgramTable table = mapTable(level);
    table.entries[0].name = "dot";
    table.entries[0].steps = {{"penstock_step_dot", {}}};
    auto emitted = emit(module, table, level);
    ASSERT_TRUE(emitted.ok()) << emitted.status().message();
    const std::string &text = (*emitted)->assembly;
    EXPECT_NE(text.find("vfmadd"), std::string::npos) << level;
    EXPECT_NE(text.find(level == "avx2" ? "vmaxps\t%ymm" : "vmaxps\t"), std::string::npos) << level;
    for (const std::size_t count : {2, 3, 63, 1031}) {
      std::vector<float> a = numbers(count, 5), b = numbers(count, 6);
      double expected = 0;
      for (std::size_t i = 0; i < count; ++i) {
        expected += double(a[i]) * b[i];
      }
      float out[2] = {};
      runOn((*emitted)->entry("dot"), a.data(), b.data(), out, count);
      EXPECT_NEAR(out[0], expected, 1e-5 * 9 * std::sqrt(double(count)) + 1e-5);
      EXPECT_EQ(out[1], *std::max_element(a.begin(), a.end()));
      a[count / 2] = NAN;
      runOn((*emitted)->entry("dot"), a.data(), b.data(), out, count);
      EXPECT_TRUE(std::isnan(out[0]) && std::isnan(out[1])) << "a NaN was lost";
    }
  }
}

// Death tests run in a child process, so the handlers stay out of this one.
TEST(FatalErrors, EndWithASentenceAndAnExitCode) {
  const auto fail = [](bool memory) {
    handleFatalErrors();
    if (memory) {
      llvm::report_bad_alloc_error("Allocation failed");
    }
    llvm::report_fatal_error("cannot select this");
  };
  EXPECT_EXIT(fail(false), testing::ExitedWithCode(4), "^penstock: the compiler failed inside LLVM: cannot select this; .*report it");
  EXPECT_EXIT(fail(true), testing::ExitedWithCode(4), "^penstock: there is not enough memory to compile this pipeline: Allocation failed");
}

} // namespace
