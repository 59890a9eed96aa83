#include "compiler/emit/reasons.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassInstrumentation.h"

#include <fmt/format.h>

using namespace mlir;

namespace penstock {
namespace {

class NamesFailures final : public PassInstrumentation {
public:
  explicit NamesFailures(MLIRContext *context)
      : counter(context, [this](Diagnostic &diagnostic) {
          errors += diagnostic.getSeverity() == DiagnosticSeverity::Error;
          return failure(); // for whoever listens to it
        }) {}

  void runAfterPassFailed(Pass *pass, Operation *op) override {
    if (errors == 0) {
      auto name = op->getAttrOfType<StringAttr>(SymbolTable::getSymbolAttrName());
      auto diagnostic = op->emitError("the pass `") << pass->getName() << "` gave up";
      if (name) {
        diagnostic << " on `" << name.getValue() << "`";
      }
      diagnostic << " without a reason";
    }
  }

private:
  int errors = 0;
  ScopedDiagnosticHandler counter;
};

} // namespace

std::string placeOf(Location location) {
  const auto place = location->findInstanceOf<FileLineColLoc>();
  return place ? fmt::format("{}:{}:{}", place.getFilename().str(), place.getLine(), place.getColumn()) : "";
}

void nameFailures(PassManager &passes) { passes.addInstrumentation(std::make_unique<NamesFailures>(passes.getContext())); }

} // namespace penstock
