#include "tests/unit/kernels/kernel_testing.h"

#include "runtime/base/file.h"
#include "runtime/base/kernel_choices.h"
#include "runtime/kernels/kernel_tuning.h"
#include "runtime/kernels/machine_speed.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <tuple>

namespace penstock {
namespace {

using namespace penstock::testing;

Result<KernelHandle> make(const char *kernel, std::vector<std::int64_t> attributes, std::string_view force = "") {
  const PenstockDispatch dispatch = {kernel, "", static_cast<std::int32_t>(attributes.size()), attributes.data()};
  return makeKernelHandle(dispatch, Level::avx2, force);
}

TEST(KernelTable, everyRowHasAFunctionAtEveryLevel) {
  for (const Level level : {Level::avx2, Level::avx512, Level::amx}) {
    for (const KernelRow *row : kernelRows()) {
      const auto symbol = kernelSymbol("penstock_" + std::string(row->name), level);
      ASSERT_TRUE(symbol.ok()) << row->name;
      EXPECT_NE(*symbol, nullptr);
    }
    EXPECT_TRUE(kernelSymbol("penstock_parallel_for", level).ok());
  }
  EXPECT_NE(*kernelSymbol("penstock_attention", Level::avx2), *kernelSymbol("penstock_attention", Level::avx512));
  const auto unknown = kernelSymbol("penstock_sing", Level::avx2);
  ASSERT_FALSE(unknown.ok());
  EXPECT_NE(unknown.status().message().find("penstock_sing"), std::string::npos);
}

TEST(KernelTable, rowsSayWhatTheirArgumentsName) {
  std::set<std::string_view> names;
  for (const KernelRow *row : kernelRows()) {
    EXPECT_TRUE(names.insert(row->name).second) << row->name;
    const bool takesHandle = row->arguments[0].role == KernelRole::handle;
    EXPECT_EQ(takesHandle && row->scope != KernelScope::inner, row->handle != nullptr) << row->name;
    EXPECT_EQ(row->scope == KernelScope::inner, *row->cost.kind == '\0') << row->name;
    EXPECT_TRUE(!row->cost.sizes || row->handle != nullptr) << row->name;
    EXPECT_EQ(findKernelRow(row->name), row);
  }
  EXPECT_EQ(findKernelRow("sing"), nullptr);
  const KernelOperands matmul = operandsOf(kernels::matmul), decode = operandsOf(kernels::crf_decode);
  EXPECT_EQ(matmul.least, 1);
  EXPECT_EQ(matmul.most, 2);
  EXPECT_EQ(decode.least, 2);
  EXPECT_EQ(decode.most, 2);
  EXPECT_EQ(decode.results, 3);
  EXPECT_EQ(countNumbers(handle_kinds::matmul), 5);
}

TEST(KernelTable, refusesWhatItCannotMake) {
  for (const auto &refused :
       {make("song", {1}), make("matmul", {3, 4, 0, 0}), make("matmul", {3, -4, 0, 4, 0}), make("matmul", {1ll << 40, 4, 0, 4, 0}),
        make("matmul", {2147483647, 2147483647, 0, 2147483647, 0}), make("matmul", {3, 4, 0, 3, 0}), make("matmul", {3, 4, 1, 2, 0}),
        make("conv1d", {0, 3, 4}), make("conv1d", {400, 300, 4}), make("weight_gradient", {1}), make("matmul", {3, 4, 0, 4, 2}),
        make("matmul", {3, 4, 0, 4, 0}, "magic")}) {
    ASSERT_FALSE(refused.ok());
    EXPECT_FALSE(refused.status().message().empty());
  }
}

// By a whole matrix and by columns of a wider one.
TEST(KernelTable, everyImplementationGivesTheSameMatmul) {
  const auto pool = makePool(2);
  Numbers numbers(3);
  const std::int64_t k = 67, n = 41, rows = 131;
  const auto x = numbers.floats(rows * k), bias = numbers.floats(n);
  for (const std::int64_t transposed : {0, 1}) {
    const std::int64_t height = transposed != 0 ? n : k, width = transposed != 0 ? k : n;
    for (const std::int64_t stride : {width, width + 29}) {
      const auto wide = numbers.floats(height * stride);
      std::vector<float> w;
      for (std::int64_t i = 0; i < height; ++i) {
        w.insert(w.end(), wide.begin() + i * stride, wide.begin() + i * stride + width);
      }
      std::vector<float> expected(static_cast<std::size_t>(rows * n));
      reference::matmul(w.data(), k, n, transposed != 0, x.data(), k, expected.data(), n, rows, bias.data(), false);
      for (const char *force : {"", "auto", "reference", "packed", "onednn"}) {
        auto handle = make("matmul", {k, n, transposed, stride, 0}, force);
        ASSERT_TRUE(handle.ok()) << force;
        EXPECT_GE(kernelHandleBytes(handle->get()), static_cast<std::size_t>(k * n * 4));
        penstock_pack(handle->get(), wide.data(), pool.get());
        std::vector<float> y(expected.size(), NAN);
        penstock_matmul(handle->get(), x.data(), k, y.data(), n, rows, bias.data(), 0);
        EXPECT_TRUE(near(y, expected, 1e-5)) << force << " transposed " << transposed << " stride " << stride;
      }
    }
  }
}

// What one handle packs into other memory, another computes with, bit for bit.
TEST(KernelTable, aPackedWeightIsAdoptedByAHandleOfItsForm) {
  const auto pool = makePool(2);
  Numbers numbers(6);
  const std::int64_t k = 67, n = 41, rows = 19, taps = 3;
  const auto weight = numbers.floats(k * n), kernel = numbers.floats(taps * k * n), x = numbers.floats(rows * k);
  const auto offsets = offsetsOf({7, 0, 12});
  const auto level = machineLevel();
  std::set<std::int32_t> formats;
  for (const Level at : {Level::avx2, level.ok() ? *level : Level::avx2}) {
    for (const bool conv : {false, true}) {
      const std::int64_t sizes[] = {k, n, 0, n, 0}, convSizes[] = {taps, k, n};
      const PenstockDispatch dispatch = conv ? PenstockDispatch{"conv1d", "", 3, convSizes} : PenstockDispatch{"matmul", "", 5, sizes};
      auto own = makeKernelHandle(dispatch, at, "packed"), other = makeKernelHandle(dispatch, at, "packed");
      ASSERT_TRUE(own.ok() && other.ok());
      const PackedForm form = kernelPackedForm(own->get());
      EXPECT_EQ(form.bytes, kernelHandleBytes(own->get()));
      EXPECT_EQ(form.format, at == Level::avx2 ? 1 : 2);
      formats.insert(form.format);
      auto room = makeFloats(static_cast<std::int64_t>(form.bytes / sizeof(float)), "a packed weight");
      ASSERT_TRUE(room.ok());
      const float *w = conv ? kernel.data() : weight.data();
      ASSERT_TRUE(kernelPackInto(own->get(), w, *pool, room->get()).ok());
      ASSERT_TRUE(kernelAdopt(other->get(), room->get()).ok());
      penstock_pack(own->get(), w, pool.get());
      std::vector<float> results[2];
      for (const bool adopted : {false, true}) {
        void *handle = adopted ? other->get() : own->get();
        std::vector<float> y(static_cast<std::size_t>(rows * n), NAN), dx(static_cast<std::size_t>(rows * k), NAN);
        if (conv) {
          auto held = scratch();
          penstock_conv1d(handle, x.data(), y.data(), offsets.data(), 0, 3, nullptr, held.data());
          penstock_conv1d_input_grad(handle, y.data(), dx.data(), offsets.data(), 0, 3, 0, held.data());
        } else {
          penstock_matmul(handle, x.data(), k, y.data(), n, rows, nullptr, 0);
          dx.clear();
        }
        results[adopted] = y;
        results[adopted].insert(results[adopted].end(), dx.begin(), dx.end());
      }
      EXPECT_TRUE(sameBits(results[0], results[1])) << levelName(at) << (conv ? " conv1d" : " matmul");
      EXPECT_FALSE(kernelAdopt(other->get(), room->get() + 1).ok());
    }
  }
  EXPECT_EQ(formats.size(), level.ok() && *level != Level::avx2 ? 2u : 1u);
  auto reference = make("matmul", {k, n, 0, n, 0}, "reference");
  ASSERT_TRUE(reference.ok());
  EXPECT_FALSE(kernelAdopt(reference->get(), weight.data()).ok());
  EXPECT_FALSE(kernelPackInto(reference->get(), weight.data(), *pool, nullptr).ok());
}

TEST(KernelChoices, nameWhatThereIsAndWhatDecidedIt) {
  std::set<std::string> seen;
  for (const KernelChoice &choice : kernelChoices()) {
    const auto names = kernelImplementations(choice.kind);
    EXPECT_NE(std::find(names.begin(), names.end(), choice.implementation), names.end()) << choice.implementation;
    EXPECT_FALSE(choice.measured.empty());
    EXPECT_TRUE(seen.insert(choice.kind + choice.level + std::string(shapeClassName(choice.shape))).second) << choice.text();
    const auto read = kernelChoiceOf(choice.text());
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->text(), choice.text());
  }
  for (const KernelHandleKind *kind : kernelHandleKinds()) {
    const auto names = kernelImplementations(kind->name);
    EXPECT_NE(std::find(names.begin(), names.end(), ownKernels), names.end()) << kind->name;
  }
  for (const char *none : {"", "matmul avx2 small", "matmul avx9 small onednn", "matmul avx2 tiny onednn", "matmul avx2 small onednn 3",
                           "lstm avx2 small onednn"}) {
    EXPECT_FALSE(kernelChoiceOf(none).has_value()) << none;
  }
}

TEST(KernelChoices, countByTheWeightAndServeFloat32) {
  const std::int64_t conv[] = {3, 5, 7}, small[] = {64, 128, 0, 128, 0}, medium[] = {65, 128, 0, 128, 0}, large[] = {1024, 129, 0, 129, 0};
  const std::int64_t nothing[] = {0, 128, 0, 128, 0}, bf16[] = {64, 128, 0, 128, 1};
  EXPECT_EQ(shapeClassOf(handle_kinds::matmul, small), ShapeClass::small);
  EXPECT_EQ(shapeClassOf(handle_kinds::matmul, medium), ShapeClass::medium);
  EXPECT_EQ(shapeClassOf(handle_kinds::matmul, large), ShapeClass::large);
  const auto all = oneDnnChoices();
  for (const char *level : {"avx2", "avx512", "amx"}) {
    for (const auto &numbers : {small, medium, large}) {
      EXPECT_EQ(chooseKernel(all, handle_kinds::matmul, level, {numbers, 5}), "onednn");
      EXPECT_EQ(chooseKernel({}, handle_kinds::matmul, level, {numbers, 5}), ownKernels);
    }
    EXPECT_EQ(chooseKernel(all, handle_kinds::matmul, level, nothing), ownKernels);
    EXPECT_EQ(chooseKernel(all, handle_kinds::matmul, level, bf16), ownKernels);
    EXPECT_EQ(chooseKernel(all, handle_kinds::conv1d, level, conv), ownKernels);
  }
  const std::vector<KernelChoice> one = {{"matmul", "avx512", ShapeClass::medium, "onednn", ""}};
  EXPECT_EQ(chooseKernel(one, handle_kinds::matmul, "avx512", medium), "onednn");
  EXPECT_EQ(chooseKernel(one, handle_kinds::matmul, "avx2", medium), ownKernels);
  EXPECT_EQ(chooseKernel(one, handle_kinds::matmul, "avx512", small), ownKernels);
}

// Who computes a handle stands in the program.
TEST(KernelChoices, theProgramNamesWhoComputes) {
  const std::int64_t numbers[] = {31, 48, 0, 48, 0};
  const auto reference = makeKernelHandle({"matmul", "reference", 5, numbers}, Level::avx2);
  ASSERT_TRUE(reference.ok());
  EXPECT_EQ(kernelPackedForm(reference->get()).format, 0);
  for (const char *own : {"", "packed", static_cast<const char *>(nullptr)}) {
    const auto packed = makeKernelHandle({"matmul", own, 5, numbers}, Level::avx2);
    ASSERT_TRUE(packed.ok());
    EXPECT_EQ(kernelPackedForm(packed->get()).format, 1);
  }
  const auto unknown = makeKernelHandle({"matmul", "mkl", 5, numbers}, Level::avx2);
  ASSERT_FALSE(unknown.ok());
  EXPECT_NE(unknown.status().message().find("compile the pipeline again"), std::string::npos);
}

TEST(KernelTuning, isReadAsItWasWritten) {
  const KernelTuning tuning = {"avx512", "oneDNN 2.6.3", {{"matmul", "avx512", ShapeClass::large, "onednn", "ours 3, oneDNN 5 GFLOP/s"}}};
  const std::string path = ::testing::TempDir() + "/kernels-avx512.json";
  const auto write = [&](const std::string &text) { ASSERT_TRUE(writeFileAtomically(path, text).ok()); };
  write(kernelTuningText(tuning));
  const auto read = readKernelTuning(path, Level::avx512);
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->size(), 1U);
  EXPECT_EQ(read->front().text(), tuning.choices.front().text());
  EXPECT_NE(kernelTuningText(tuning).find("ours 3, oneDNN 5 GFLOP/s"), std::string::npos);
  EXPECT_FALSE(readKernelTuning(path, Level::avx2).ok());
  std::string other = kernelTuningText(tuning);
  other.replace(other.find("large onednn"), 12, "large mklmkl");
  for (const std::string &text : {std::string(), std::string("[]"), std::string("{\"format\": 2, \"choices\": []}"), other}) {
    write(text);
    const auto damaged = readKernelTuning(path, Level::avx512);
    ASSERT_FALSE(damaged.ok()) << text;
    EXPECT_NE(damaged.status().message().find("doctor --tune"), std::string::npos);
  }
  std::remove(path.c_str());
  EXPECT_NE(
      readKernelTuning(path, Level::avx512).status().message().find("make it by `penstock doctor --tune` (with `PENSTOCK_LEVEL=avx512`"),
      std::string::npos);
}

TEST(KernelTable, referenceHandlesServeConvolutionsAndWeightGradients) {
  const auto pool = makePool(2);
  Numbers numbers(4);
  const auto offsets = offsetsOf({3, 1, 7});
  const auto w = numbers.floats(3 * 5 * 7), x = numbers.floats(11 * 5), dy = numbers.floats(11 * 7);
  std::vector<std::vector<float>> results;
  for (const char *force : {"reference", "packed"}) {
    auto conv = make("conv1d", {3, 5, 7}, force);
    auto gradient = make("weight_gradient", {5, 7, 0}, force);
    ASSERT_TRUE(conv.ok() && gradient.ok());
    auto held = scratch();
    std::vector<float> all(11 * 7 + 11 * 5 + 3 * 5 * 7 + 5 * 7 + 3 * 7, NAN);
    std::vector<std::int32_t> at(3 * 7);
    float *to = all.data();
    penstock_pack(conv->get(), w.data(), pool.get());
    penstock_conv1d(conv->get(), x.data(), to, offsets.data(), 0, 3, nullptr, held.data());
    to += 11 * 7;
    penstock_conv1d_input_grad(conv->get(), dy.data(), to, offsets.data(), 0, 3, 0, held.data());
    to += 11 * 5;
    penstock_conv1d_weight_grad(conv->get(), pool.get(), x.data(), dy.data(), offsets.data(), 3, to, held.data());
    to += 3 * 5 * 7;
    penstock_weight_gradient(gradient->get(), pool.get(), x.data(), 5, dy.data(), 7, 11, to, held.data());
    to += 5 * 7;
    penstock_conv1d_max(conv->get(), x.data(), offsets.data(), 0, 3, nullptr, to, at.data(), held.data());
    results.push_back(all);
  }
  EXPECT_TRUE(near(results[1], results[0], 1e-5));
}

TEST(Levels, namesGoBothWaysAndTheEnvironmentOnlyLowers) {
  for (const Level level : {Level::avx2, Level::avx512, Level::amx}) {
    const auto parsed = parseLevel(levelName(level));
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(*parsed, level);
  }
  EXPECT_FALSE(parseLevel("sse").ok());
  const auto machine = machineLevel();
  if (!machine.ok()) {
    GTEST_SKIP() << machine.status().message();
  }
  setenv("PENSTOCK_LEVEL", "avx2", 1);
  EXPECT_EQ(*machineLevel(), Level::avx2);
  setenv("PENSTOCK_LEVEL", "amx", 1);
  EXPECT_EQ(*machineLevel(), *machine);
  setenv("PENSTOCK_LEVEL", "mmx", 1);
  EXPECT_FALSE(machineLevel().ok());
  unsetenv("PENSTOCK_LEVEL");
}

TEST(MachineSpeed, isMeasuredForWhatTheMachineHas) {
  const auto pool = makePool(2);
  const auto level = machineLevel();
  ASSERT_TRUE(level.ok());
  const auto speed = measureMachine(*level, *pool);
  ASSERT_TRUE(speed.ok());
  EXPECT_GT(speed->fp32, 0); // how fast is a matter of what else runs
  EXPECT_GT(speed->stream, 0);
  EXPECT_EQ(speed->bf16 > 0, !bf16Instructions(*level).empty());
}

} // namespace
} // namespace penstock
