// Every optimizer, with and without decay and clipping by the global norm: several compiled steps against the formulas in float64.
#include "compiler/transforms/Passes.h"
#include "runtime/kernels/kernel_table.h"
#include "tests/conformance/compiled.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace mlir;
using namespace penstock;
using namespace penstock::conformance;

namespace {

struct Optimizer {
  const char *name;
  std::string kind = "sgd";
  double momentum = 0, decay = 0, clip = 0;
  bool nesterov = false;
  double beta1 = 0.8, beta2 = 0.97, epsilon = 1e-3; // unlike the defaults; an epsilon that keeps rounding of small gradients small

  std::string attribute() const {
    const auto f64 = [](double v) { return std::to_string(v) + " : f64"; };
    std::string text = "{kind = \"" + kind + "\", clip_norm = " + f64(clip) + ", weight_decay = " + f64(decay);
    if (kind == "sgd") {
      return text + ", momentum = " + f64(momentum) + (nesterov ? ", nesterov = true}" : "}");
    }
    return text + ", beta1 = " + f64(beta1) + ", beta2 = " + f64(beta2) + ", epsilon = " + f64(epsilon) + "}";
  }
};

// The norm of the first gradients is some 90: 7 clips every step, 1e6 none.
const std::vector<Optimizer> optimizers = {
    {"sgd"},
    {"sgd_clipped", "sgd", 0, 0, 7},
    {"sgd_clip_above", "sgd", 0, 0, 1e6},
    {"momentum_decay_clipped", "sgd", 0.7, 0.03, 7},
    {"nesterov", "sgd", 0.7, 0.03, 0, true},
    {"adam", "adam"},
    {"adam_decay_clipped", "adam", 0, 0.03, 7},
    {"adamw", "adamw", 0, 0.3, 0},
    {"adamw_clipped", "adamw", 0, 0.3, 7},
};

// Values of two parameters in three chunks of the flat buffer, one that decays and one that does not.
const Record &record() {
  return *std::find_if(records().begin(), records().end(), [](const Record &one) { return one.name == "normalize"; });
}
const Lengths lengths = {131, 1, 2, 11, 1, 97, 64};
const std::vector<float> rates = {0.011f, 0.013f, 0.017f, 0.007f, 0.005f};

std::string replaced(std::string text, const std::string &from, const std::string &to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

std::string moduleOf(const Optimizer &optimizer) {
  std::string text = replaced(moduleText(record(), lengths), "{kind = \"sgd\"}", optimizer.attribute());
  const std::size_t global = text.find("nn.global @x ");
  const std::size_t end = text.find("{tensor_class = \"parameter\"", global);
  return text.replace(end, 27, "{decays = true, tensor_class = \"parameter\"");
}

/// Runs the steps in float64, from the descriptions of nn.apply alone. `clipped` counts the steps that were.
Globals reference(const Optimizer &optimizer, const Batch &batch, Globals weights, int &clipped) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<nn::NnDialect, func::FuncDialect>();
  ScopedDiagnosticHandler silent(&context, [](Diagnostic &) { return success(); });
  auto module = parseSourceString<ModuleOp>(moduleOf(optimizer), &context);
  PassManager passes(&context, ModuleOp::getOperationName());
  passes.addPass(createDeriveEntriesPass());
  passes.addPass(createAutodiffPass());
  EXPECT_TRUE(module && succeeded(passes.run(*module)));
  std::map<std::string, std::vector<double>> first, second;
  for (std::size_t t = 0; t < rates.size(); ++t) {
    Interpreter run(batch, weights, 1, t);
    EXPECT_TRUE(run.run(module->lookupSymbol<func::FuncOp>("train_step"))) << run.error();
    double squares = 0;
    for (const auto &[name, gradient] : run.gradients) {
      for (const double g : gradient.f) {
        squares += g * g;
      }
    }
    const double norm = std::sqrt(squares);
    const double scale = optimizer.clip > 0 ? std::min(1.0, optimizer.clip / (norm + 1e-6)) : 1.0;
    clipped += scale < 1;
    const double rate = rates[t];
    for (auto &[name, tensor] : weights) {
      first[name].resize(tensor.f.size());
      second[name].resize(tensor.f.size());
      const double decay = name == "x" ? optimizer.decay : 0;
      for (std::size_t k = 0; k < tensor.f.size(); ++k) {
        double &w = tensor.f[k], &m = first[name][k], &v = second[name][k];
        double g = run.gradients[name].f[k] * scale;
        if (optimizer.kind == "adamw") {
          w *= 1 - rate * decay;
        } else {
          g += decay * w;
        }
        if (optimizer.kind == "sgd") {
          m = optimizer.momentum * m + g;
          w -= rate * (optimizer.nesterov ? g + optimizer.momentum * m : optimizer.momentum != 0 ? m : g);
        } else {
          m = optimizer.beta1 * m + (1 - optimizer.beta1) * g;
          v = optimizer.beta2 * v + (1 - optimizer.beta2) * g * g;
          const double step = static_cast<double>(t + 1);
          const double mean = m / (1 - std::pow(optimizer.beta1, step)), square = v / (1 - std::pow(optimizer.beta2, step));
          w -= rate * mean / (std::sqrt(square) + optimizer.epsilon);
        }
      }
    }
  }
  return weights;
}

class Apply : public testing::TestWithParam<std::size_t> {};

TEST_P(Apply, EqualTheFormulas) {
  const Optimizer &optimizer = optimizers[GetParam()];
  const Batch batch = makeBatch(record(), lengths);
  const Globals before = makeGlobals(record(), lengths);
  int clipped = 0;
  const Globals expected = reference(optimizer, batch, before, clipped);
  EXPECT_EQ(clipped, optimizer.clip == 7 ? static_cast<int>(rates.size()) : 0);

  const std::string library = testing::TempDir() + "/optimizer_" + optimizer.name + ".so";
  const Status compiled = compileModule(moduleOf(optimizer), testedLevel("avx2"), "fp32", library);
  ASSERT_TRUE(compiled.ok()) << compiled.message();
  auto after = runSteps(library, before, batch, 1, rates);
  ASSERT_TRUE(after.ok()) << after.status().message();
  double moved = 0;
  for (const auto &[name, tensor] : expected) {
    const std::vector<float> &got = (*after)[name];
    ASSERT_EQ(got.size(), tensor.f.size());
    for (std::size_t k = 0; k < got.size(); ++k) {
      moved = std::max(moved, std::abs(tensor.f[k] - before.at(name).f[k]));
      ASSERT_NEAR(got[k], tensor.f[k], 1e-6 * std::max(1.0, std::abs(tensor.f[k]))) << name << "[" << k << "]";
    }
  }
  EXPECT_GT(moved, 1e-3);
  for (const int threads : {2, 5}) {
    auto again = runSteps(library, before, batch, threads, rates);
    ASSERT_TRUE(again.ok()) << again.status().message();
    for (const auto &[name, values] : *after) {
      ASSERT_EQ(std::memcmp(values.data(), (*again)[name].data(), values.size() * sizeof(float)), 0)
          << name << ", " << threads << " threads";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Optimizers, Apply, testing::Range(std::size_t(0), optimizers.size()),
                         [](const auto &info) { return std::string(optimizers[info.param].name); });

} // namespace
