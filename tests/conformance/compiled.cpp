#include "tests/conformance/compiled.h"

#include "compiler/dialect/Kernel/Kernel.h"
#include "compiler/emit/emit.h"
#include "compiler/pipeline/pipeline.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "runtime/base/program_rows.h"

#include <cstdlib>
#include <filesystem>
#include <list>

using namespace mlir;

namespace penstock::conformance {

Status compileModule(const std::string &text, const std::string &form, const std::string &precision, const std::string &path) {
  const std::size_t dash = form.find('-');
  const std::string level = form.substr(0, dash);
  DialectRegistry registry;
  registry.insert<nn::NnDialect, kernel::KernelDialect, func::FuncDialect>();
  registerEmitDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  std::string message;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    message += diagnostic.getSeverity() == DiagnosticSeverity::Error ? diagnostic.str() + "\n" : "";
    return success();
  });
  auto module = parseSourceString<ModuleOp>(text, &context);
  ProgramTable table;
  if (!module) {
    return internalError(message);
  }
  (*module)->setAttr("penstock.level", StringAttr::get(&context, level));
  (*module)->setAttr("penstock.precision", StringAttr::get(&context, precision));
  if (dash != std::string::npos) {
    (*module)->setAttr("kernel.least_team", IntegerAttr::get(IntegerType::get(&context, 64), std::stol(form.substr(dash + 1))));
  }
  if (failed(lowerNnToLoops(*module, table))) {
    return internalError(message);
  }
  table.level = level;
  EmitOptions options;
  options.level = level;
  options.emulated = testsEmulator();
  options.watched = std::getenv("PENSTOCK_CONFORMANCE_WATCHED") != nullptr;
  options.output = path;
  return emitSharedLibrary(*module, table, options);
}

Result<std::string> compileRecord(const Record &record, const Lengths &lengths, const std::string &level, const std::string &folder,
                                  const std::string &precision) {
  const char *kept = std::getenv("PENSTOCK_CONFORMANCE_LIBRARIES");
  const std::string path = (kept != nullptr ? kept : folder) + "/conformance_" + record.name + "_" + level + "_" + precision + "_" +
                           std::to_string(lengths.size()) + ".so";
  if (kept == nullptr || !std::filesystem::exists(path)) {
    PENSTOCK_TRY(compileModule(moduleText(record, lengths), level, precision, path));
  }
  return path;
}

namespace {

/// A batch in the form of a program's interface.
struct AbiBatch {
  struct Axis {
    std::vector<std::int32_t> rowParent, rowPosition, rowRecord, rowPlace, rowSegment, rowWord;
  };
  std::vector<Axis> rows;
  std::vector<PenstockAxisBatch> axes;
  std::vector<const void *> inputs;
  PenstockBatch batch{};

  AbiBatch(const Batch &from, const PenstockProgram &program) : rows(axesOf(program).size()) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::vector<std::int32_t> &offsets = from.offsets.at(axesOf(program)[i].name);
      Axis &axis = rows[i];
      const Axis *const parent =
          axesOf(program)[i].parent == PENSTOCK_RECORDS ? nullptr : &rows[static_cast<std::size_t>(axesOf(program)[i].parent)];
      std::vector<std::int32_t> ofRecord(static_cast<std::size_t>(from.records));
      for (std::size_t p = 0; p + 1 < offsets.size(); ++p) {
        const std::int32_t record = parent == nullptr ? static_cast<std::int32_t>(p) : parent->rowRecord[p];
        for (std::int32_t row = offsets[p]; row < offsets[p + 1]; ++row) {
          axis.rowParent.push_back(static_cast<std::int32_t>(p));
          axis.rowPosition.push_back(row - offsets[p]);
          axis.rowRecord.push_back(record);
          axis.rowPlace.push_back(ofRecord[static_cast<std::size_t>(record)]++);
          axis.rowSegment.push_back(segmentOf(axis.rowPosition.back()));
        }
      }
      axis.rowWord = from.rowWord;
      axis.rowWord.resize(axis.rowRecord.size(), -1);
      axes.push_back({offsets.back(), offsets.data(), axis.rowParent.data(), axis.rowPosition.data(), axis.rowRecord.data(),
                      axis.rowPlace.data(), axis.rowSegment.data(), axis.rowWord.data()});
    }
    for (const auto &[index, tensor] : from.inputs) {
      inputs.push_back(tensor.i.empty() ? static_cast<const void *>(floats.emplace_back(tensor.f.begin(), tensor.f.end()).data())
                                        : tensor.i.data());
    }
    batch = {sizeof batch, sizeof(PenstockAxisBatch), from.records, from.recordNumbers.data(), axes.data(), inputs.data()};
  }
  AbiBatch(const AbiBatch &) = delete;

private:
  std::list<std::vector<float>> floats;
};

/// A model with the given parameters, and what it runs on.
struct Loaded {
  std::unique_ptr<ThreadPool> pool;
  OpenedModel opened;
};

Result<Loaded> load(const std::string &library, const Globals &globals, const Batch &batch, int threads) {
  Loaded loaded;
  PENSTOCK_ASSIGN(loaded.pool, ThreadPool::create(threads));
  PENSTOCK_ASSIGN(loaded.opened, openModel(library, *loaded.pool));
  Model &model = *loaded.opened.model;
  const PenstockProgram &table = model.table();
  if (inputsOf(table).size() != batch.inputs.size()) {
    return internalError("the program has " + std::to_string(table.inputs.count) + " inputs, its module " +
                         std::to_string(batch.inputs.size()));
  }
  PENSTOCK_ASSIGN(const HostTensors parameters, model.fetch(TensorClass::parameter));
  for (const TensorView &view : parameters.views()) {
    const std::vector<double> &values = globals.at(view.name).f;
    for (std::size_t k = 0; k < values.size(); ++k) {
      parameters.of(view)[k] = static_cast<float>(values[k]);
    }
  }
  PENSTOCK_TRY(model.store(parameters));
  return loaded;
}

} // namespace

Result<Values> runSteps(const std::string &library, const Globals &globals, const Batch &batch, int threads,
                        const std::vector<float> &rates) {
  PENSTOCK_ASSIGN(const Loaded loaded, load(library, globals, batch, threads));
  const Model &model = *loaded.opened.model;
  AbiBatch abi(batch, model.table());
  OutputBuffers outputs;
  Session::Step step;
  step.batch = &abi.batch;
  step.seed = 1;
  for (std::size_t k = 0; k < rates.size(); ++k) {
    step.number = k;
    step.learningRate = rates[k];
    PENSTOCK_TRY(loaded.opened.session->run(model.entry("train_step"), step, &outputs));
  }
  PENSTOCK_TRY(loaded.opened.session->complete());
  Values after;
  PENSTOCK_ASSIGN(const HostTensors parameters, model.fetch(TensorClass::parameter));
  for (const TensorView &view : parameters.views()) {
    after[view.name].assign(view.data, view.data + view.elements);
  }
  after["loss"] = {rates.empty() ? 0 : outputs.values(0)[0]};
  return after;
}

Result<Values> runEntry(const std::string &library, const Globals &globals, const Batch &batch, int threads, const std::string &entry) {
  PENSTOCK_ASSIGN(const Loaded loaded, load(library, globals, batch, threads));
  Model &model = *loaded.opened.model;
  AbiBatch abi(batch, model.table());
  const int index = model.entry(entry);
  if (index < 0) {
    return internalError("the program has no entry `" + entry + "`");
  }
  PENSTOCK_TRY(model.pack(*loaded.pool));
  OutputBuffers outputs;
  Session::Step step;
  step.batch = &abi.batch;
  step.seed = 1;
  PENSTOCK_TRY(loaded.opened.session->run(index, step, &outputs));
  Values values;
  const auto given = outputsOf(entriesOf(model.table())[index]);
  for (int o = 0; o < static_cast<int>(given.size()); ++o) {
    const PenstockOutputInfo &info = given[o];
    values[info.name].assign(outputs.values(o), outputs.values(o) + penstock_rows_of(info.type, &abi.batch) * info.type->width);
  }
  return values;
}

Batch single(const Batch &batch, std::int64_t index) {
  Batch one;
  one.records = 1;
  one.recordNumbers = {batch.recordNumbers[static_cast<std::size_t>(index)]};
  const std::vector<std::int32_t> &offsets = batch.offsets.at("tokens");
  std::int32_t begin = offsets[static_cast<std::size_t>(index)], end = offsets[static_cast<std::size_t>(index) + 1];
  one.offsets["tokens"] = {0, end - begin};
  one.rowWord.assign(batch.rowWord.begin() + begin, batch.rowWord.begin() + end);
  for (const auto &[place, tensor] : batch.inputs) {
    // Rows of the axis are told from records by their number; no test batch has as many rows as records.
    bool ragged = static_cast<std::int64_t>(tensor.i.size()) == offsets.back();
    Tensor &part = one.inputs[place];
    part.i.assign(tensor.i.begin() + (ragged ? begin : index), tensor.i.begin() + (ragged ? end : index + 1));
    part.rows = static_cast<std::int64_t>(part.i.size());
  }
  return one;
}

} // namespace penstock::conformance
