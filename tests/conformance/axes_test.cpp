// Axes below axes and static axes as compiled code, against the float64 interpreter: characters of words of records, and a grid.
#include "compiler/transforms/Passes.h"
#include "runtime/kernels/kernel_table.h"
#include "tests/conformance/compiled.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

using namespace mlir;
using namespace penstock;
using namespace penstock::conformance;

namespace {

// From characters to words by a convolution's maximum, a mean and a bag; back to characters; attention over the characters of a word,
// of which the first is taken; then words to records; beside them the cells of a grid of 2 x 3 under each record.
const char *const text = R"(module attributes {nn.inputs = [
    {name = "letters", target = true, type = !nn.rows<records x @words x @characters x 1xi32>},
    {name = "forms", target = true, type = !nn.rows<records x @words x 1xi32>},
    {name = "cells", target = true, type = !nn.rows<records x [2, 3] x 1xi32>}], nn.objectives = [{kind = "sgd"}]} {
  nn.global @letter : tensor<11x6xf32> {tensor_class = "parameter"}
  nn.global @bag : tensor<11x3xf32> {tensor_class = "parameter"}
  nn.global @form : tensor<13x6xf32> {tensor_class = "parameter"}
  nn.global @place : tensor<5x6xf32> {tensor_class = "parameter"}
  nn.global @kernel : tensor<3x6x5xf32> {tensor_class = "parameter"}
  nn.global @qkv : tensor<6x18xf32> {tensor_class = "parameter"}
  nn.global @cell : tensor<7x4xf32> {tensor_class = "parameter"}
  nn.global @shift : tensor<4xf32> {tensor_class = "parameter"}
  nn.global @mix : tensor<24x2xf32> {tensor_class = "parameter"}
  func.func @model() {
    %letters = nn.input "letters" {index = 0 : i64} : !nn.rows<records x @words x @characters x 1xi32>
    %forms = nn.input "forms" {index = 1 : i64} : !nn.rows<records x @words x 1xi32>
    %cells = nn.input "cells" {index = 2 : i64} : !nn.rows<records x [2, 3] x 1xi32>
    %letter = nn.read @letter : tensor<11x6xf32>
    %bag = nn.read @bag : tensor<11x3xf32>
    %form = nn.read @form : tensor<13x6xf32>
    %place = nn.read @place : tensor<5x6xf32>
    %kernel = nn.read @kernel : tensor<3x6x5xf32>
    %qkv = nn.read @qkv : tensor<6x18xf32>
    %cell = nn.read @cell : tensor<7x4xf32>
    %shift = nn.read @shift : tensor<4xf32>
    %mix = nn.read @mix : tensor<24x2xf32>
    %e = nn.embedding %letters, %letter : !nn.rows<records x @words x @characters x 1xi32>, tensor<11x6xf32> -> !nn.rows<records x @words x @characters x 6xf32>
    %at = nn.position_rows %place : tensor<5x6xf32> -> !nn.rows<records x @words x @characters x 6xf32>
    %p = nn.add %e, %at : !nn.rows<records x @words x @characters x 6xf32>, !nn.rows<records x @words x @characters x 6xf32> -> !nn.rows<records x @words x @characters x 6xf32>
    %f = nn.embedding %forms, %form : !nn.rows<records x @words x 1xi32>, tensor<13x6xf32> -> !nn.rows<records x @words x 6xf32>
    %spread = nn.broadcast_records %f : !nn.rows<records x @words x 6xf32> -> !nn.rows<records x @words x @characters x 6xf32>
    %sum = nn.add %p, %spread : !nn.rows<records x @words x @characters x 6xf32>, !nn.rows<records x @words x @characters x 6xf32> -> !nn.rows<records x @words x @characters x 6xf32>
    %x = nn.dropout %sum {p = 0.3 : f64, key = 5 : i64} : !nn.rows<records x @words x @characters x 6xf32>
    %c = nn.conv1d %x, %kernel : !nn.rows<records x @words x @characters x 6xf32>, tensor<3x6x5xf32> -> !nn.rows<records x @words x @characters x 5xf32>
    %most, %where = nn.segment_max %c : !nn.rows<records x @words x @characters x 5xf32> -> !nn.rows<records x @words x 5xf32>, !nn.rows<records x @words x 5xi32>
    %total = nn.segment_sum %x : !nn.rows<records x @words x @characters x 6xf32> -> !nn.rows<records x @words x 6xf32>
    %n = nn.segment_length @characters : !nn.rows<records x @words x 1xf32>
    %mean = nn.div %total, %n : !nn.rows<records x @words x 6xf32>, !nn.rows<records x @words x 1xf32> -> !nn.rows<records x @words x 6xf32>
    %b = nn.bag_sum %letters, %bag : !nn.rows<records x @words x @characters x 1xi32>, tensor<11x3xf32> -> !nn.rows<records x @words x 3xf32>
    %q = nn.matmul %x, %qkv : !nn.rows<records x @words x @characters x 6xf32>, tensor<6x18xf32> -> !nn.rows<records x @words x @characters x 18xf32>
    %a, %lse = nn.attention %q {heads = 2 : i64} : !nn.rows<records x @words x @characters x 18xf32> -> !nn.rows<records x @words x @characters x 6xf32>, !nn.rows<records x @words x @characters x 2xf32>
    %first = nn.segment_first %a : !nn.rows<records x @words x @characters x 6xf32> -> !nn.rows<records x @words x 6xf32>
    %word = nn.concat %most, %mean, %b, %first : !nn.rows<records x @words x 5xf32>, !nn.rows<records x @words x 6xf32>, !nn.rows<records x @words x 3xf32>, !nn.rows<records x @words x 6xf32> -> !nn.rows<records x @words x 20xf32>
    %t = nn.tanh %word : !nn.rows<records x @words x 20xf32>
    %r = nn.segment_sum %t : !nn.rows<records x @words x 20xf32> -> !nn.rows<records x 20xf32>
    %g = nn.embedding %cells, %cell : !nn.rows<records x [2, 3] x 1xi32>, tensor<7x4xf32> -> !nn.rows<records x [2, 3] x 4xf32>
    %h = nn.add %g, %shift : !nn.rows<records x [2, 3] x 4xf32>, tensor<4xf32> -> !nn.rows<records x [2, 3] x 4xf32>
    %s = nn.sigmoid %h : !nn.rows<records x [2, 3] x 4xf32>
    %d = nn.dropout %s {p = 0.2 : f64, key = 9 : i64} : !nn.rows<records x [2, 3] x 4xf32>
    %grid, %best = nn.segment_max %d : !nn.rows<records x [2, 3] x 4xf32> -> !nn.rows<records x 4xf32>, !nn.rows<records x 4xi32>
    %all = nn.concat %r, %grid : !nn.rows<records x 20xf32>, !nn.rows<records x 4xf32> -> !nn.rows<records x 24xf32>
    %z = nn.matmul %all, %mix : !nn.rows<records x 24xf32>, tensor<24x2xf32> -> !nn.rows<records x 2xf32>
    %u = nn.tanh %z : !nn.rows<records x 2xf32>
    %loss = nn.total %u : !nn.rows<records x 2xf32> -> tensor<f32>
    nn.output "loss", %loss {index = 0 : i64} : tensor<f32>
    return
  }
}
)";

/// Records of `words` words each, whose characters are 1 to 9; a record of no words has no rows on either axis.
Batch batchOf(const std::vector<int> &words) {
  std::mt19937_64 random(20251129);
  const auto below = [&](int n) { return static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(n)); };
  Batch batch;
  batch.records = static_cast<std::int64_t>(words.size());
  std::vector<std::int32_t> &ofWords = batch.offsets["words"], &ofCharacters = batch.offsets["characters"],
                            &ofCells = batch.offsets["[2, 3]"];
  ofWords = ofCharacters = ofCells = {0};
  for (std::size_t r = 0; r < words.size(); ++r) {
    batch.recordNumbers.push_back(1000003 * r + 17);
    ofWords.push_back(ofWords.back() + words[r]);
    ofCells.push_back(ofCells.back() + 6);
  }
  for (std::int32_t w = 0; w < ofWords.back(); ++w) {
    ofCharacters.push_back(ofCharacters.back() + 1 + below(9));
  }
  const auto ids = [&](std::int64_t rows, int count) {
    Tensor t;
    t.rows = rows;
    for (std::int64_t i = 0; i < rows; ++i) {
      t.i.push_back(below(count));
    }
    return t;
  };
  batch.inputs[0] = ids(ofCharacters.back(), 11);
  batch.inputs[1] = ids(ofWords.back(), 13);
  batch.inputs[2] = ids(ofCells.back(), 7);
  return batch;
}

class Axes : public testing::Test {
protected:
  Axes() {
    context.loadDialect<nn::NnDialect, func::FuncDialect>();
    module = parseSourceString<ModuleOp>(text, &context);
  }

  Globals globals() {
    Globals made;
    std::mt19937_64 random(20251130);
    std::normal_distribution<double> normal(0, 0.5);
    for (auto global : module->getOps<nn::GlobalOp>()) {
      Tensor t;
      t.rows = nn::rowsOf(global.getType()).rows;
      t.width = nn::widthOf(global.getType());
      for (std::int64_t k = 0; k < t.rows * t.width; ++k) {
        t.f.push_back(static_cast<float>(normal(random)));
      }
      made[global.getSymName().str()] = std::move(t);
    }
    return made;
  }

  MLIRContext context{MLIRContext::Threading::DISABLED};
  OwningOpRef<ModuleOp> module;
};

constexpr float rate = 1024; // large, so that the parameter itself does not round the gradient away

TEST_F(Axes, OfAxesAndGridsEqualTheOracleAtAnyNumberOfThreads) {
  ASSERT_TRUE(module);
  const Globals before = globals();
  const std::string library = testing::TempDir() + "/axes.so";
  ASSERT_TRUE(compileModule(text, testedLevel("avx2"), "fp32", library).ok());
  PassManager passes(&context, ModuleOp::getOperationName());
  passes.addPass(createDeriveEntriesPass());
  passes.addPass(createAutodiffPass());
  ASSERT_TRUE(succeeded(passes.run(*module)));
  for (const std::vector<int> &words : {std::vector<int>{3, 1, 0, 29, 2, 7}, std::vector<int>{1}, std::vector<int>(41, 2)}) {
    const Batch batch = batchOf(words);
    Interpreter oracle(batch, before);
    ASSERT_TRUE(oracle.run(module->lookupSymbol<func::FuncOp>("train_step"))) << oracle.error();
    auto after = runSteps(library, before, batch, 1, {rate});
    ASSERT_TRUE(after.ok()) << after.status().message();
    const double loss = oracle.outputs["loss"].f[0];
    EXPECT_NEAR((*after)["loss"][0], loss, 1e-5 * std::max(1.0, std::abs(loss)));
    for (const auto &[name, value] : before) {
      double largest = 1e-2;
      for (const double v : oracle.gradients[name].f) {
        largest = std::max(largest, std::abs(v));
      }
      const std::vector<float> &got = (*after)[name];
      ASSERT_EQ(got.size(), value.f.size()) << name;
      for (std::size_t k = 0; k < value.f.size(); ++k) {
        const double gradient = (value.f[k] - static_cast<double>(got[k])) / rate;
        ASSERT_NEAR(gradient, oracle.gradients[name].f[k], 2e-5 * largest) << name << "[" << k << "]";
      }
    }
    for (const int threads : {2, 5}) {
      auto again = runSteps(library, before, batch, threads, {rate});
      ASSERT_TRUE(again.ok()) << again.status().message();
      for (const auto &[name, values] : *after) {
        ASSERT_EQ(std::memcmp(values.data(), (*again)[name].data(), values.size() * sizeof(float)), 0) << name << " at " << threads;
      }
    }
  }
}

} // namespace
