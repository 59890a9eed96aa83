// A pass that fails without a word is named, with the place in the `.pipe`; one that says why is not spoken over.
#include "compiler/emit/reasons.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

#include <vector>

using namespace mlir;

namespace {

struct Fails : PassWrapper<Fails, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(Fails)
  explicit Fails(bool speaks) : speaks(speaks) {}
  StringRef getName() const final { return "Fails"; }
  void runOnOperation() final {
    if (speaks) {
      getOperation().emitError("three words long");
    }
    signalPassFailure();
  }
  bool speaks;
};

std::vector<std::string> errorsOf(bool speaks) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  std::vector<std::string> errors;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    errors.push_back(penstock::placeOf(diagnostic.getLocation()) + ": " + diagnostic.str());
    return success();
  });
  OwningOpRef<ModuleOp> module = ModuleOp::create(FileLineColLoc::get(&context, "a.pipe", 3, 7));
  PassManager passes(&context);
  penstock::nameFailures(passes);
  passes.addPass(std::make_unique<Fails>(speaks));
  EXPECT_TRUE(failed(passes.run(*module)));
  return errors;
}

TEST(Reasons, NameThePassThatGivesUpAndItsPlace) {
  EXPECT_EQ(errorsOf(false), std::vector<std::string>{"a.pipe:3:7: the pass `Fails` gave up without a reason"});
  EXPECT_EQ(errorsOf(true), std::vector<std::string>{"a.pipe:3:7: three words long"});
}

} // namespace
