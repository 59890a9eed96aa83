// Random pipelines, from their text to compiled steps: loss, gradients and answers against the float64 interpreter, the gradients
// against differences of losses too, and one thread against several. Parameters of the environment:
//
//   PENSTOCK_GENERATED_SEED        the first seed (1)
//   PENSTOCK_GENERATED_COUNT       how many, one after another (60)
//   PENSTOCK_GENERATED_OPERATIONS  operations of each; 0: few in most, up to 60 (0)
//   PENSTOCK_GENERATED_PRINT       a folder to which the texts of failing pipelines go, `SEED.pipe`
#include "tests/conformance/generated.h"

#include "compiler/conversion/FrontendToPipe/FrontendToPipe.h"
#include "compiler/conversion/PipeToNn/PipeToNn.h"
#include "compiler/dialect/Pipe/Pipe.h"
#include "compiler/frontend/frontend.h"
#include "compiler/transforms/Passes.h"
#include "runtime/kernels/kernel_table.h"
#include "runtime/plugin/plugin_host.h"
#include "tests/conformance/compiled.h"
#include "tools/penstock/compile_pipeline.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

#include "llvm/Support/raw_ostream.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>
#include <unistd.h>

using namespace mlir;
using namespace penstock;
using namespace penstock::conformance;

namespace {

constexpr float rate = 1024; // see compiled_test.cpp

long parameter(const char *name, long otherwise) {
  const char *value = std::getenv(name);
  return value != nullptr ? std::atol(value) : otherwise;
}

/// The text of the Nn module of a pipeline.
Result<std::string> moduleOf(const Generated &generated) {
  PENSTOCK_ASSIGN(const frontend::Analysis analysis, frontend::analyze("/generated/generated.pipe", generated.text, {}));
  const frontend::Completion completion = frontend::complete(analysis, generated.facts);
  if (!completion.ok) {
    std::string said;
    for (const diagnostics::Diagnostic &one : completion.diagnostics.all()) {
      said += one.severity == diagnostics::Severity::error ? std::to_string(one.range.line) + ": " + one.message + "\n" : "";
    }
    return invalidInput(said);
  }
  PENSTOCK_ASSIGN(const std::shared_ptr<PluginHost> host, PluginHost::create({}));
  PENSTOCK_ASSIGN(const CompileOptions options, compileOptionsFor(completion.pipeline, *host));
  DialectRegistry registry;
  registry.insert<pipe::PipeDialect, nn::NnDialect, func::FuncDialect>();
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  std::string said;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    said += diagnostic.str() + "\n";
    return success();
  });
  FailureOr<OwningOpRef<ModuleOp>> module = importPipeline(context, completion.pipeline);
  ImportOptions import;
  import.buildHead = options.buildHead;
  if (failed(module) || failed(lowerPipeToNn(**module, import))) {
    return internalError(said);
  }
  std::string text;
  llvm::raw_string_ostream stream(text);
  (*module)->print(stream);
  return text;
}

/// A module in float64: its values, and the derivatives of its step.
class Oracle {
public:
  explicit Oracle(const std::string &text) : context(MLIRContext::Threading::DISABLED) {
    context.loadDialect<nn::NnDialect, func::FuncDialect>();
    ScopedDiagnosticHandler silent(&context, [](Diagnostic &) { return success(); });
    module = parseSourceString<ModuleOp>(text, &context);
    PassManager passes(&context, ModuleOp::getOperationName());
    passes.addPass(createDeriveEntriesPass());
    passes.addPass(createAutodiffPass());
    EXPECT_TRUE(module && succeeded(passes.run(*module)));
  }

  ModuleOp operator*() const { return *module; }

  /// With a seed, as rough as float32.
  Interpreter run(const std::string &entry, const Batch &batch, const Globals &globals, std::uint64_t rough = 0) const {
    Interpreter interpreter(batch, globals);
    if (rough != 0) {
      interpreter.roughen(0x1p-23, rough);
    }
    EXPECT_TRUE(interpreter.run(module->lookupSymbol<func::FuncOp>(entry))) << interpreter.error();
    return interpreter;
  }

private:
  MLIRContext context;
  mutable OwningOpRef<ModuleOp> module;
};

Globals makeGlobals(ModuleOp module, std::mt19937_64 &random) {
  Globals globals;
  std::normal_distribution<double> normal;
  for (auto global : module.getOps<nn::GlobalOp>()) {
    ArrayRef<int64_t> shape = cast<RankedTensorType>(global.getType()).getShape();
    Tensor t;
    t.rows = shape.size() < 2 ? 1 : shape[0];
    t.width = std::accumulate(shape.begin() + (shape.size() < 2 ? 0 : 1), shape.end(), int64_t(1), std::multiplies<>());
    const double scale = global.getScale().convertToDouble(), one = global.getInitializer() == "ones" ? 1 : 0;
    for (int64_t k = 0; k < t.rows * t.width; ++k) {
      t.f.push_back(static_cast<float>(one + (scale > 0 ? scale : 0.2) * normal(random)));
    }
    globals[global.getSymName().str()] = std::move(t);
  }
  return globals;
}

/// A batch of the module's inputs. Some records are longer than a block of rows; some labels are unknown, but never all.
Batch makeBatch(ModuleOp module, std::mt19937_64 &random) {
  const auto below = [&](std::int64_t n) { return static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(n)); };
  Batch batch;
  batch.records = std::array<std::int64_t, 5>{1, 2, 5, 13, 37}[static_cast<std::size_t>(below(5))];
  for (std::int64_t r = 0; r < batch.records; ++r) {
    batch.recordNumbers.push_back(static_cast<std::uint64_t>(1000003 * r + 17));
  }
  std::map<std::string, std::int64_t> vocabulary;
  module.walk([&](Operation *op) {
    if (auto input = op->getNumOperands() == 0 ? nullptr : op->getOperand(0).getDefiningOp<nn::InputOp>()) {
      if (auto embedding = dyn_cast<nn::EmbeddingOp>(op)) {
        vocabulary[input.getName().str()] = cast<RankedTensorType>(embedding.getTable().getType()).getDimSize(0);
      }
    }
  });
  std::int64_t index = 0;
  for (Attribute item : module->getAttrOfType<ArrayAttr>("nn.inputs")) {
    auto input = cast<DictionaryAttr>(item);
    StringRef name = input.getAs<StringAttr>("name").getValue();
    const Type type = input.getAs<TypeAttr>("type").getValue();
    const bool target = input.getAs<BoolAttr>("target").getValue(), onAxis = nn::isOnAxis(type);
    Tensor &t = batch.inputs[index++];
    t.rows = batch.records;
    if (onAxis) {
      std::vector<std::int32_t> &offsets = batch.offsets[nn::nameOf(nn::rowsOf(type))];
      if (offsets.empty()) {
        offsets.push_back(0);
        for (std::int64_t r = 0; r < batch.records; ++r) {
          offsets.push_back(offsets.back() + 1 + (below(20) == 0 ? 60 + below(20) : below(9)));
        }
      }
      t.rows = offsets.back();
    }
    if (onAxis && target) { // tags
      // A word begins at every row of a record but its second, fifth, eighth and so on.
      const std::vector<std::int32_t> &offsets = batch.offsets.at(nn::nameOf(nn::rowsOf(type)));
      for (std::size_t r = 0; r + 1 < offsets.size(); ++r) {
        std::int32_t words = 0;
        for (std::int32_t place = 0; place < offsets[r + 1] - offsets[r]; ++place) {
          batch.rowWord.push_back(place % 3 == 1 ? -1 : words++);
          t.i.push_back(place % 3 == 1 || below(7) == 0 ? -1 : below(4));
        }
      }
    } else if (nn::elementTypeOf(type).isF32() && nn::widthOf(type) == 1) { // a number
      std::normal_distribution<double> normal;
      for (std::int64_t k = 0; k < t.rows; ++k) {
        t.f.push_back(static_cast<float>(normal(random)));
      }
    } else if (nn::elementTypeOf(type).isF32()) { // a set
      t.width = nn::widthOf(type);
      for (std::int64_t k = 0; k < t.rows * t.width; ++k) {
        t.f.push_back(below(2));
      }
    } else {
      for (std::int64_t k = 0; k < t.rows; ++k) {
        t.i.push_back(onAxis ? below(std::max<std::int64_t>(vocabulary[name.str()], 5)) : k > 0 && below(12) == 0 ? -1 : below(3));
      }
    }
  }
  return batch;
}

double largestOf(const std::vector<double> &values) {
  double largest = 0;
  for (const double v : values) {
    largest = std::max(largest, std::abs(v));
  }
  return largest;
}
double distance(const std::vector<double> &a, const std::vector<double> &b) {
  double largest = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    largest = std::max(largest, std::abs(a[k] - b[k]));
  }
  return largest;
}

class Comparison {
public:
  Comparison(const std::string &moduleText, std::uint64_t seed) : text(moduleText), oracle(text), random(seed) {
    globals = makeGlobals(*oracle, random);
    batch = makeBatch(*oracle, random);
  }

  /// What differs, "" where nothing does.
  std::string run(const std::string &level) {
    const std::string library = testing::TempDir() + "generated_" + std::to_string(::getpid()) + ".so";
    if (const Status compiled = compileModule(text, level, "fp32", library); !compiled.ok()) {
      return "does not compile: " + compiled.message();
    }
    const std::string problem = compareRuns(library);
    std::filesystem::remove(library);
    return problem;
  }

  bool conditioned = true; // float32 can know the gradients

private:
  std::string compareRuns(const std::string &library) {
    const Interpreter step = oracle.run("train_step", batch, globals);
    // How far apart runs of float32's precision are: what it can know of the numbers.
    const Interpreter first = oracle.run("train_step", batch, globals, 1), second = oracle.run("train_step", batch, globals, 2);
    double largest = 0;
    for (const auto &[name, gradient] : step.gradients) {
      largest = std::max(largest, largestOf(gradient.f));
    }
    if (!std::isfinite(largest)) {
      return "is not finite in float64";
    }
    const auto after = runSteps(library, globals, batch, 1, {rate}), again = runSteps(library, globals, batch, 3, {rate});
    if (!after.ok() || !again.ok()) {
      return "does not run: " + (after.ok() ? again : after).status().message();
    }
    const double loss = step.outputs.at("loss").f[0];
    if (const std::string wrong = compare("loss", {(*after).at("loss")[0]}, {loss},
                                          noise("loss", step.outputs, first.outputs, second.outputs), std::max(1.0, std::abs(loss)));
        !wrong.empty()) {
      return wrong;
    }
    for (const auto &[name, before] : globals) {
      auto global = (*oracle).lookupSymbol<nn::GlobalOp>(name);
      if (nn::classOf(global) == nn::TensorClass::trainingState) {
        continue; // not among the weights
      }
      const std::vector<float> &values = after->at(name);
      for (std::size_t k = 0; k < values.size(); ++k) {
        if (std::memcmp(&values[k], &again->at(name)[k], sizeof(float)) != 0) {
          return name + "[" + std::to_string(k) + "] depends on the number of threads";
        }
      }
      if (nn::classOf(global) == nn::TensorClass::modelState) {
        const auto updated = step.updates.find(name);
        const std::vector<double> &expected = updated == step.updates.end() ? before.f : updated->second.f;
        const double moved = updated == step.updates.end() ? 0 : noise(name, step.updates, first.updates, second.updates);
        if (const std::string wrong = compare(name, {values.begin(), values.end()}, expected, moved, std::max(1.0, largestOf(expected)));
            !wrong.empty()) {
          return wrong;
        }
        continue;
      }
      std::vector<double> got(values.size());
      for (std::size_t k = 0; k < values.size(); ++k) {
        got[k] = (before.f[k] - static_cast<double>(values[k])) / rate / global.getRate().convertToDouble();
      }
      if (global.getFrozen()) {
        if (largestOf(got) != 0) {
          return name + " is frozen and changed";
        }
        continue;
      }
      const Tensor &expected = step.gradients.at(name);
      const double moved = noise(name, step.gradients, first.gradients, second.gradients);
      conditioned = conditioned && moved * spread < 1e-2 * largest;
      if (const std::string wrong =
              compare(name, got, expected.f, moved, std::max(largestOf(expected.f), 0.1 * largest) + 1e-4 * (1 + largestOf(before.f)));
          !wrong.empty()) {
        return wrong;
      }
    }
    for (const char *entry : {"evaluate", "predict"}) {
      const Interpreter expected = oracle.run(entry, batch, globals), rough = oracle.run(entry, batch, globals, 3);
      const auto got = runEntry(library, globals, batch, 2, entry);
      if (!got.ok()) {
        return std::string("does not run `") + entry + "`: " + got.status().message();
      }
      for (const auto &[name, tensor] : expected.outputs) {
        const std::vector<float> &values = got->at(name);
        if (const std::string wrong = compare(std::string(entry) + "'s " + name, {values.begin(), values.end()}, tensor.f,
                                              distance(rough.outputs.at(name).f, tensor.f), std::max(1.0, largestOf(tensor.f)));
            !wrong.empty()) {
          return wrong;
        }
      }
    }
    return differences(step, largest);
  }

  static constexpr double spread = 8; // the farthest of many roundings, by the distance of two runs

  static double noise(const std::string &name, const std::map<std::string, Tensor> &value, const std::map<std::string, Tensor> &first,
                      const std::map<std::string, Tensor> &second) {
    return std::max(distance(value.at(name).f, first.at(name).f), distance(value.at(name).f, second.at(name).f));
  }

  static std::string compare(const std::string &name, const std::vector<double> &got, const std::vector<double> &expected, double moved,
                             double size) {
    if (got.size() != expected.size()) {
      return name + " has " + std::to_string(got.size()) + " numbers for " + std::to_string(expected.size());
    }
    const double tolerance = 1e-5 * size + spread * moved;
    for (std::size_t k = 0; k < got.size(); ++k) {
      if (!(std::abs(got[k] - expected[k]) <= tolerance)) {
        char line[200];
        std::snprintf(line, sizeof line, "%s[%zu] is %.9g, not %.9g (tolerance %.3g)", name.c_str(), k, got[k], expected[k], tolerance);
        return line;
      }
    }
    return "";
  }

  /// The derivative of the loss along a random direction, by the gradients and by losses on both sides.
  std::string differences(const Interpreter &step, double largest) {
    Globals direction = globals, up = globals, down = globals;
    std::normal_distribution<double> normal;
    double along = 0;
    const double width = 1e-6;
    for (auto &[name, tensor] : direction) {
      if (step.gradients.count(name) == 0) {
        continue; // frozen
      }
      for (std::size_t k = 0; k < tensor.f.size(); ++k) {
        tensor.f[k] = normal(random);
        along += tensor.f[k] * step.gradients.at(name).f[k];
        up[name].f[k] += width * tensor.f[k];
        down[name].f[k] -= width * tensor.f[k];
      }
    }
    const double above = oracle.run("train_step", batch, up).outputs["loss"].f[0],
                 below = oracle.run("train_step", batch, down).outputs["loss"].f[0];
    const double measured = (above - below) / (2 * width), loss = step.outputs.at("loss").f[0];
    // A kink between the two losses shows in their second difference.
    const double curved = std::abs(above + below - 2 * loss) / width;
    if (std::abs(measured - along) > 1e-4 * std::max(largest, std::abs(along)) + 2 * curved + 1e-9 * std::abs(loss) / width * 1e-4) {
      char line[200];
      std::snprintf(line, sizeof line, "the gradients give %.9g along a direction, the losses %.9g", along, measured);
      return line;
    }
    return "";
  }

  std::string text;
  Oracle oracle;
  std::mt19937_64 random;
  Globals globals;
  Batch batch;
};

TEST(Generated, PipelinesCompileAndEqualTheInterpreter) {
  const long first = parameter("PENSTOCK_GENERATED_SEED", 1), count = parameter("PENSTOCK_GENERATED_COUNT", 60);
  const long operations = parameter("PENSTOCK_GENERATED_OPERATIONS", 0);
  const char *print = std::getenv("PENSTOCK_GENERATED_PRINT");
  const auto machine = machineLevel();
  ASSERT_TRUE(machine.ok());
  long unknown = 0, wrong = 0;
  for (long seed = first; seed < first + count; ++seed) {
    const long size = operations > 0 ? operations : seed % 4 == 0 ? seed % 60 + 1 : seed % 17 + 3;
    const Generated generated = generatePipeline(static_cast<std::uint64_t>(seed), static_cast<int>(size));
    const auto text = moduleOf(generated);
    std::string problem = text.ok() ? "" : text.status().message();
    if (text.ok()) {
      Comparison comparison(*text, static_cast<std::uint64_t>(seed));
      problem = comparison.run(testedLevel(seed % 2 == 0 || *machine < Level::avx512 ? "avx2" : "avx512"));
      unknown += !comparison.conditioned;
    }
    if (!problem.empty()) {
      ++wrong;
      ADD_FAILURE() << "seed " << seed << ", " << size << " operations: " << problem;
      if (print != nullptr) {
        std::ofstream(std::string(print) + "/" + std::to_string(seed) + ".pipe") << generated.text;
      }
    }
    if (wrong >= 20) {
      break;
    }
  }
  EXPECT_LE(unknown, count / 20 + 1) << "models whose gradients float32 cannot know prove little";
}

} // namespace
