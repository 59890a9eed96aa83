// Derivatives of every op against finite differences of the float64 oracle, and the rewrites against the oracle itself.
#include "compiler/transforms/Passes.h"
#include "tests/conformance/records.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

using namespace mlir;
using namespace penstock;
using namespace penstock::conformance;

namespace {

const Lengths lengths = {7, 1, 11, 2, 2};

MLIRContext &context() {
  static MLIRContext &made = *[] {
    auto *c = new MLIRContext(MLIRContext::Threading::DISABLED); // lives as long as the program
    c->loadDialect<nn::NnDialect, func::FuncDialect>();
    return c;
  }();
  return made;
}

/// The record's module with its entries, the step differentiated.
OwningOpRef<ModuleOp> compile(const Record &record, bool fuse) {
  auto module = parseSourceString<ModuleOp>(moduleText(record, lengths), &context());
  if (!module) {
    return {};
  }
  PassManager passes(&context(), ModuleOp::getOperationName());
  if (fuse) {
    passes.addPass(createFuseSegmentsPass());
  }
  passes.addPass(createDeriveEntriesPass());
  if (fuse) {
    passes.addNestedPass<func::FuncOp>(createRestrictRowsPass());
  }
  passes.addPass(createAutodiffPass());
  passes.addPass(createCSEPass());
  passes.addPass(createCanonicalizerPass());
  return succeeded(passes.run(*module)) ? std::move(module) : OwningOpRef<ModuleOp>();
}

double lossOf(ModuleOp module, const Batch &batch, const Globals &globals) {
  // The loss of the step itself: evaluate has no dropout.
  auto step = module.lookupSymbol<func::FuncOp>("train_step");
  Interpreter run(batch, globals);
  EXPECT_TRUE(run.run(step)) << run.error();
  return run.outputs["loss"].f[0];
}

class Derivatives : public testing::TestWithParam<std::size_t> {};

TEST_P(Derivatives, EqualFiniteDifferences) {
  const Record &record = records()[GetParam()];
  SCOPED_TRACE(record.name);
  auto module = compile(record, /*fuse=*/false);
  ASSERT_TRUE(module) << moduleText(record, lengths);
  Batch batch = makeBatch(record, lengths);
  Globals globals = makeGlobals(record, lengths);
  Interpreter run(batch, globals);
  ASSERT_TRUE(run.run(module->lookupSymbol<func::FuncOp>("train_step"))) << run.error();
  ASSERT_EQ(run.gradients.size(), globals.size());

  // Finite differences need the forward ops alone: the function before it was differentiated.
  auto forward = parseSourceString<ModuleOp>(moduleText(record, lengths), &context());
  auto model = forward->lookupSymbol<func::FuncOp>("model");
  auto loss = [&] {
    Interpreter again(batch, globals);
    EXPECT_TRUE(again.run(model)) << again.error();
    return again.outputs["loss"].f[0];
  };
  const double h = 1e-5;
  for (auto &[name, values] : globals) {
    double largest = 1e-3;
    std::vector<double> differences;
    for (double &v : values.f) {
      double kept = v;
      v = kept + h;
      double above = loss();
      v = kept - h;
      double below = loss();
      v = kept;
      differences.push_back((above - below) / (2 * h));
      largest = std::max(largest, std::abs(differences.back()));
    }
    const Tensor &gradient = run.gradients[name];
    ASSERT_EQ(gradient.f.size(), differences.size()) << name;
    for (std::size_t k = 0; k < differences.size(); ++k) {
      ASSERT_NEAR(gradient.f[k], differences[k], 1e-7 * largest) << name << "[" << k << "]";
    }
  }
}

// What the fusions change is the form, not the loss or a gradient.
TEST_P(Derivatives, AreKeptByFusion) {
  const Record &record = records()[GetParam()];
  SCOPED_TRACE(record.name);
  auto plain = compile(record, false), fused = compile(record, true);
  ASSERT_TRUE(plain && fused);
  Batch batch = makeBatch(record, lengths);
  Globals globals = makeGlobals(record, lengths);
  Interpreter a(batch, globals), b(batch, globals);
  ASSERT_TRUE(a.run(plain->lookupSymbol<func::FuncOp>("train_step"))) << a.error();
  ASSERT_TRUE(b.run(fused->lookupSymbol<func::FuncOp>("train_step"))) << b.error();
  EXPECT_NEAR(lossOf(*plain, batch, globals), lossOf(*fused, batch, globals), 1e-12);
  for (const auto &[name, gradient] : a.gradients) {
    for (std::size_t k = 0; k < gradient.f.size(); ++k) {
      ASSERT_NEAR(gradient.f[k], b.gradients[name].f[k], 1e-12) << name << "[" << k << "]";
    }
  }
}

std::vector<std::size_t> smallRecords() {
  std::vector<std::size_t> small;
  for (std::size_t i = 0; i < records().size(); ++i) {
    if (!records()[i].large) {
      small.push_back(i);
    }
  }
  return small;
}

INSTANTIATE_TEST_SUITE_P(Records, Derivatives, testing::ValuesIn(smallRecords()),
                         [](const auto &info) { return records()[info.param].name; });

// Every op of the dialect is made by some record: a new op without one fails here.
TEST(Coverage, EveryOpHasARecord) {
  std::set<std::string> seen;
  for (const Record &record : records()) {
    for (bool fuse : {false, true}) {
      auto forward = parseSourceString<ModuleOp>(moduleText(record, lengths), &context());
      ASSERT_TRUE(forward) << record.name;
      auto module = compile(record, fuse);
      ASSERT_TRUE(module) << record.name;
      auto note = [&](Operation *op) { seen.insert(op->getName().getStringRef().str()); };
      forward->walk(note);
      module->walk(note);
    }
  }
  // Those of the optimizer and of states have no value: optimizer_test.cpp runs them, and steps in parts. A mean is lowered when entries
  // are derived.
  seen.insert({"nn.row_gradient", "nn.refresh", "nn.settle", "nn.accumulate", "nn.update", "nn.step_weight", "nn.mean"});
  for (RegisteredOperationName name : context().getRegisteredOperationsByDialect("nn")) {
    EXPECT_TRUE(seen.count(name.getStringRef().str())) << name.getStringRef().str() << " has no conformance record";
  }
}

} // namespace
