#include "compiler/driver/backend.h"

#include "compiler/conversion/FrontendToPipe/FrontendToPipe.h"
#include "compiler/conversion/PipeToNn/PipeToNn.h"
#include "compiler/dialect/Kernel/Kernel.h"
#include "compiler/dialect/Nn/Nn.h"
#include "compiler/dialect/Pipe/Pipe.h"
#include "compiler/driver/fatal_errors.h"
#include "compiler/emit/emit.h"
#include "compiler/emit/reasons.h"
#include "compiler/pipeline/pipeline.h"
#include "runtime/base/kernel_choices.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/Diagnostics.h"

#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>

#include <chrono>

using namespace mlir;

namespace penstock {
namespace {

/// Holds what MLIR reports, so that nothing of it reaches the user raw.
class Diagnostics {
public:
  explicit Diagnostics(MLIRContext &context)
      : handler(&context, [this](Diagnostic &diagnostic) {
          if (diagnostic.getSeverity() == DiagnosticSeverity::Error && first.empty()) {
            first = diagnostic.str();
            where = placeOf(diagnostic.getLocation());
          }
          return success();
        }) {}

  /// A mistake of the compiler's own.
  Status failure(const char *stage) const {
    return internalError(fmt::format("the compiler failed{}{} in the stage `{}`: {}; this is a mistake in penstock: please "
                                     "report it with the file",
                                     where.empty() ? "" : " at ", where, stage, first.empty() ? "no reason given" : first));
  }
  /// What the model or a head plugin did wrong, in the words of the lowering; a verifier's words
  /// are our mistake.
  Status refusal() const {
    if (first.empty() || first.front() == '\'') {
      return failure("nn");
    }
    return invalidInput(where.empty() ? first : fmt::format("{}: {}", where, first));
  }

private:
  std::string first, where;
  ScopedDiagnosticHandler handler;
};

void print(ModuleOp module, std::string &text) {
  llvm::raw_string_ostream stream(text);
  module.print(stream, OpPrintingFlags().elideLargeElementsAttrs(64));
  stream << "\n";
}

/// The rows of the level that name others than our own kernels.
ArrayAttr choicesOf(const BackendRequest &request, MLIRContext &context) {
  const TargetSpec &target = request.pipeline->target;
  std::vector<KernelChoice> rows;
  if (target.kernels == "auto") {
    rows.assign(kernelChoices().begin(), kernelChoices().end());
  } else if (target.kernels == "onednn") {
    rows = oneDnnChoices();
  }
  for (const std::string &text : target.tuned) {
    rows.push_back(kernelChoiceOf(text).value_or(KernelChoice()));
  }
  SmallVector<Attribute> texts;
  for (const KernelChoice &row : rows) {
    if (row.level == request.level && row.implementation != ownKernels) {
      texts.push_back(StringAttr::get(&context, row.text()));
    }
  }
  return ArrayAttr::get(&context, texts);
}

Status compile(const BackendRequest &request, std::string &text) {
  using Clock = std::chrono::steady_clock;
  auto last = Clock::now();
  const auto lap = [&](const std::string &what) {
    const auto now = Clock::now();
    if (request.timed && request.stage.empty()) {
      text += fmt::format("{:<10} {:8.1f} ms\n", what, std::chrono::duration<double, std::milli>(now - last).count());
    }
    last = now;
  };

  DialectRegistry registry;
  registry.insert<pipe::PipeDialect, nn::NnDialect, kernel::KernelDialect, tensor::TensorDialect>();
  registerEmitDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  Diagnostics diagnostics(context);
  lap("context");

  FailureOr<OwningOpRef<ModuleOp>> imported = importPipeline(context, *request.pipeline);
  if (failed(imported)) {
    return diagnostics.failure("pipe");
  }
  ModuleOp module = imported->get();
  lap("pipe");
  if (request.stage == "pipe") {
    print(module, text);
    return Status::success();
  }
  ImportOptions import;
  if (request.buildHead) {
    import.buildHead = *request.buildHead;
  }
  if (failed(lowerPipeToNn(module, import))) {
    return diagnostics.refusal();
  }
  lap("import");
  if (request.predicts) {
    module->setAttr("nn.predicts", UnitAttr::get(module.getContext()));
  }

  module->setAttr("penstock.level", StringAttr::get(module.getContext(), request.level));
  module->setAttr("penstock.precision", StringAttr::get(module.getContext(), request.pipeline->target.precision));
  if (const ArrayAttr choices = choicesOf(request, *module.getContext()); !choices.empty()) {
    module->setAttr("penstock.kernels", choices);
  }
  ProgramTable table;
  bool printed = false;
  const StageObserver observe = [&](StringRef stage, ModuleOp current) {
    lap(stage.str());
    if (stage == request.stage) {
      print(current, text);
      printed = true;
    }
  };
  if (failed(lowerNnToLoops(module, table, observe, request.profile))) {
    return diagnostics.failure("lowering");
  }
  lap("loops");
  if (printed) {
    return Status::success();
  }

  table.level = request.level;
  EmitTimes times;
  EmitOptions options;
  options.level = request.level;
  options.emulated = request.emulated;
  options.output = request.output;
  options.object = request.object;
  options.assembled = !request.object.empty(); // of an artifact, which is made once and starts often
  options.suffix = request.suffix;
  options.times = &times;
  llvm::raw_string_ostream stream(text);
  if (request.stage == "llvm") {
    options.llvmText = &stream;
  } else if (request.stage == "asm") {
    options.assembly = &stream;
  } else if (!request.stage.empty()) {
    return usageError(
        fmt::format("there is no stage `{}`; the stages are pipe, nn, kernel, memory, steps, linalg, llvm and asm", request.stage));
  }
  PENSTOCK_TRY(emitSharedLibrary(module, table, options));
  if (request.timed && request.stage.empty()) {
    text += fmt::format("to llvm    {:8.1f} ms\ntranslate  {:8.1f} ms\ngenerate   {:8.1f} ms\nlink       {:8.1f} ms\n", times.lower * 1e3,
                        times.translate * 1e3, times.generate * 1e3, times.link * 1e3);
  }
  return Status::success();
}

} // namespace
} // namespace penstock

extern "C" void penstock_backend_compile(const penstock::BackendRequest *request, penstock::BackendResult *result) {
  penstock::handleFatalErrors();
  result->status = penstock::compile(*request, result->text);
}
