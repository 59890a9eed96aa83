// Batch norm against PyTorch in float64: gradients, running statistics, steps in parts, a part of one row, frozen, evaluation; as the
// operation of the language makes it, in the float64 interpreter and as compiled code.
#include "compiler/conversion/PipeToNn/ModelBuilder.h"
#include "compiler/transforms/Passes.h"
#include "runtime/base/program_rows.h"
#include "runtime/kernels/kernel_table.h"
#include "tests/conformance/compiled.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

using namespace mlir;
using namespace penstock;
using namespace penstock::conformance;

namespace {

using Numbers = std::vector<double>;

const std::map<std::string, Numbers> &torchNumbers() {
  static const std::map<std::string, Numbers> numbers = {
#include "tests/conformance/batch_norm_numbers.inc"
  };
  return numbers;
}

constexpr float rate = 0.25F; // this and the attributes of the layer: batch_norm_numbers.py

struct Kind {
  friend void PrintTo(const Kind &kind, std::ostream *out) { *out << kind.name; }
  std::string name;
  std::int64_t width;
  std::vector<std::int32_t> lengths; // rows of each record; of a vector 1
  std::vector<std::size_t> parts;    // records of each
  bool onAxis() const { return name == "sequence"; }
  std::int64_t rows() const { return std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0}); }
};
const Kind kinds[] = {
    {"number", 1, Lengths(7, 1), {3, 3, 1}}, {"vector", 3, Lengths(7, 1), {3, 3, 1}}, {"sequence", 5, {3, 5, 3, 1}, {2, 1, 1}}};

/// How the layer is called: twice, the second time on what the first gave; unread: what it gives goes into no loss.
struct Form {
  bool frozen = false, inParts = false, twice = false, unread = false;
  std::set<std::string> frozenAlone = {};
};

/// The loss is the mean over the records of y * y * c, where x, of which y is the batch norm, and c are rows of tables.
OwningOpRef<ModuleOp> makeModule(MLIRContext &context, const Kind &kind, const Form &form) {
  context.loadDialect<nn::NnDialect, func::FuncDialect>();
  OpBuilder b(&context);
  const Location loc = b.getUnknownLoc();
  OwningOpRef<ModuleOp> module = ModuleOp::create(b, loc);
  b.setInsertionPointToEnd(module->getBody());
  auto function = func::FuncOp::create(b, loc, "model", b.getFunctionType({}, {}));
  b.setInsertionPointToEnd(function.addEntryBlock());
  func::ReturnOp::create(b, loc);
  ModelBuilder model(*module, function);

  SmallVector<Attribute> axes;
  if (kind.onAxis()) {
    axes.push_back(b.getStringAttr("tokens"));
  }
  auto ids = nn::RowsType::get(&context, b.getArrayAttr(axes), 1, b.getI32Type());
  Value row = model.input("row", 0, ids, loc);
  const auto parameter = [&](const char *name, std::vector<std::int64_t> shape, bool frozen, const char *tensorClass = "parameter") {
    frozen = frozen || form.frozenAlone.contains(name);
    return *model.parameter({std::string("n.") + name, std::move(shape), "zeros", 0, false, {1, frozen}, tensorClass}, loc);
  };
  const auto op = [&](const char *name, ArrayRef<Value> operands, const frontend::Attributes &attributes = {}) {
    return *model.op(name, operands, attributes, "n", loc);
  };
  Value x = op("embedding", {row, parameter("x", {kind.rows(), kind.width}, false)});
  Value c = op("embedding", {row, parameter("c", {kind.rows(), kind.width}, true)});
  const auto norm = [&](Value of) {
    return op("batch_norm",
              {of, parameter("weight", {kind.width}, form.frozen), parameter("bias", {kind.width}, form.frozen),
               parameter("running_mean", {kind.width}, form.frozen, "model_state"),
               parameter("running_var", {kind.width}, form.frozen, "model_state")},
              {{"momentum", 0.25}, {"epsilon", 0x1p-10}});
  };
  Value y = norm(x);
  if (form.twice) {
    y = norm(y);
  }
  Value read = form.unread ? x : y;
  Value items = op("mul", {op("mul", {read, read}), c});
  Value records = op("record_count", {});
  auto scalar = RankedTensorType::get({}, b.getF32Type());
  model.output("loss", 0, nn::MeanOp::create(model.at(), loc, scalar, items, records), loc);
  model.output("answer", 1, y, loc);
  EXPECT_TRUE(succeeded(model.finish()));
  const auto member = [&](const char *name, Attribute value) { return b.getNamedAttr(name, value); };
  (*module)->setAttr("nn.inputs",
                     b.getArrayAttr({b.getDictionaryAttr({member("name", b.getStringAttr("row")), member("target", b.getBoolAttr(false)),
                                                          member("type", TypeAttr::get(ids))})}));
  (*module)->setAttr("nn.objectives", b.getArrayAttr({b.getDictionaryAttr({member("kind", b.getStringAttr("sgd"))})}));
  if (form.inParts) {
    (*module)->setAttr("nn.accumulate", b.getUnitAttr());
  }
  EXPECT_TRUE(succeeded(mlir::verify(*module)));
  return module;
}

std::string textOf(const Kind &kind, const Form &form) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  std::string text;
  llvm::raw_string_ostream(text) << *makeModule(context, kind, form);
  return text;
}

/// Records [first, last) of a kind. A row reads the row of its number of the tables.
Batch batchOf(const Kind &kind, std::size_t first, std::size_t last) {
  Batch batch;
  batch.records = static_cast<std::int64_t>(last - first);
  std::vector<std::int32_t> offsets = {0};
  const std::int32_t before = std::accumulate(kind.lengths.begin(), kind.lengths.begin() + static_cast<std::ptrdiff_t>(first), 0);
  Tensor &row = batch.inputs[0];
  for (std::size_t r = first; r < last; ++r) {
    batch.recordNumbers.push_back(r);
    for (std::int32_t i = 0; i < kind.lengths[r]; ++i) {
      row.i.push_back(before + static_cast<std::int32_t>(row.i.size()));
    }
    offsets.push_back(static_cast<std::int32_t>(row.i.size()));
  }
  row.rows = static_cast<std::int64_t>(row.i.size());
  if (kind.onAxis()) {
    batch.offsets["tokens"] = offsets;
  }
  return batch;
}

void expectNear(const std::string &what, const Numbers &expected, const Numbers &found, double tolerance) {
  ASSERT_EQ(expected.size(), found.size()) << what;
  double largest = 0;
  for (const double value : expected) {
    largest = std::max(largest, std::fabs(value));
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(expected[i], found[i], tolerance * largest) << what << "[" << i << "]";
  }
}

const char *const names[] = {"x", "weight", "bias", "running_mean", "running_var"};

class BatchNorm : public testing::TestWithParam<Kind> {
protected:
  Numbers torch(const std::string &name) const { return torchNumbers().at(GetParam().name + "." + name); }
};

// The interpreter says whether operation and derivative are right, to the last digits.
void interpret(const Kind &kind, const std::string &scenario, const Form &form, std::size_t first, int steps) {
  SCOPED_TRACE(kind.name + " " + scenario);
  const auto torch = [&](const std::string &name) { return torchNumbers().at(kind.name + "." + name); };
  MLIRContext context(MLIRContext::Threading::DISABLED);
  OwningOpRef<ModuleOp> module = makeModule(context, kind, form);
  PassManager passes(&context, ModuleOp::getOperationName());
  passes.addPass(createDeriveEntriesPass());
  passes.addPass(createAutodiffPass());
  ASSERT_TRUE(succeeded(passes.run(*module)));
  Globals globals;
  for (auto global : module->getOps<nn::GlobalOp>()) {
    auto type = cast<RankedTensorType>(global.getType());
    Tensor &tensor = globals[global.getSymName().str()];
    tensor.rows = type.getRank() < 2 ? 1 : type.getDimSize(0);
    tensor.width = type.getNumElements() / tensor.rows;
    const auto found = torchNumbers().find(kind.name + ".start." + global.getSymName().substr(2).str());
    tensor.f = found == torchNumbers().end() ? Numbers(1) : found->second;
  }
  const Batch batch = batchOf(kind, first, kind.lengths.size());
  Numbers losses;
  for (int step = 0; step < steps; ++step) {
    Interpreter run(batch, globals);
    ASSERT_TRUE(run.run(module->lookupSymbol<func::FuncOp>("train_step"))) << run.error();
    losses.push_back(run.outputs["loss"].f[0]);
    for (const auto &[name, gradient] : run.gradients) {
      if (step == 0) {
        expectNear("the gradient of " + name, torch(scenario + ".gradient." + name.substr(2)), gradient.f, 1e-12);
      }
      for (std::size_t i = 0; i < gradient.f.size(); ++i) {
        globals[name].f[i] -= rate * gradient.f[i];
      }
    }
    for (const auto &[name, value] : run.updates) {
      globals[name] = value;
    }
  }
  expectNear("loss", torch(scenario + ".loss"), losses, 1e-12);
  for (const char *name : names) {
    expectNear(name, torch(scenario + "." + name), globals["n." + std::string(name)].f, 1e-12);
  }
  const Batch all = batchOf(kind, 0, kind.lengths.size());
  Interpreter run(all, globals);
  ASSERT_TRUE(run.run(module->lookupSymbol<func::FuncOp>("predict"))) << run.error();
  expectNear("answer", torch(scenario + ".answer"), run.outputs["answer"].f, 1e-12);
}

TEST_P(BatchNorm, IsPyTorchsInTheInterpreter) {
  const Kind &kind = GetParam();
  interpret(kind, "whole", {}, 0, 10);
  interpret(kind, "one", {}, kind.lengths.size() - 1, 1);
  Form frozen;
  frozen.frozen = true;
  interpret(kind, "frozen", frozen, 0, 10);
}

/// A compiled program whose tensors are set and read by name.
struct Trained {
  std::unique_ptr<ThreadPool> pool;
  OpenedModel opened;

  static Result<Trained> open(const std::string &library, int threads) {
    Trained made;
    PENSTOCK_ASSIGN(made.pool, ThreadPool::create(threads));
    PENSTOCK_ASSIGN(made.opened, openModel(library, *made.pool));
    PENSTOCK_TRY(made.opened.model->initialize(5, *made.pool));
    return made;
  }
  Numbers get(const std::string &name) const {
    EXPECT_TRUE(opened.session->complete().ok());
    for (const TensorClass which : {TensorClass::parameter, TensorClass::state}) {
      const auto tensors = opened.model->fetch(which);
      for (const TensorView &view : tensors->views()) {
        if (view.name == "n." + name) {
          return Numbers(view.data, view.data + view.elements);
        }
      }
    }
    ADD_FAILURE() << "no tensor " << name;
    return {};
  }
  void set(const std::string &name, const Numbers &values) {
    const auto tensors = opened.model->fetch(TensorClass::parameter);
    for (const TensorView &view : tensors->views()) {
      if (view.name == "n." + name) {
        std::copy(values.begin(), values.end(), tensors->of(view));
      }
    }
    EXPECT_TRUE(opened.model->store(*tensors).ok());
  }
  void begin(const Kind &kind) {
    for (const char *name : {"x", "c", "weight", "bias", "running_mean", "running_var"}) {
      set(name, torchNumbers().at(kind.name + ".start." + name));
    }
  }

  /// Runs an entry on a batch and gives its last output; `part` and `weight` as of a gradient.
  Numbers run(const char *name, const Kind &kind, std::size_t first, std::size_t last, std::int32_t part = 0, float weight = 0) {
    const int entry = opened.model->entry(name);
    const PenstockEntry &table = entriesOf(opened.model->table())[entry];
    const Batch batch = batchOf(kind, first, last);
    std::vector<std::int32_t> parents, places;
    PenstockAxisBatch axis{};
    if (kind.onAxis()) {
      const std::vector<std::int32_t> &offsets = batch.offsets.at("tokens");
      for (std::size_t r = 0; r + 1 < offsets.size(); ++r) {
        for (std::int32_t row = offsets[r]; row < offsets[r + 1]; ++row) {
          parents.push_back(static_cast<std::int32_t>(r));
          places.push_back(row - offsets[r]);
        }
      }
      axis.rows = offsets.back();
      axis.offsets = offsets.data();
      axis.row_parent = axis.row_record = parents.data();
      axis.row_position = axis.row_place = places.data();
    }
    const void *inputs[] = {batch.inputs.at(0).i.data()};
    const PenstockBatch view = {sizeof view, sizeof axis, batch.records, batch.recordNumbers.data(), &axis, inputs};
    const auto rows = static_cast<std::size_t>(batch.inputs.at(0).rows);
    OutputBuffers outputs;
    Session::Step step;
    step.batch = name == std::string_view("apply") ? nullptr : &view;
    step.learningRate = rate;
    step.part = part;
    step.weights = {&weight, 1};
    EXPECT_TRUE(opened.session->run(entry, step, &outputs).ok()) << name;
    const int output = table.outputs.count - 1;
    if (output < 0) {
      return {};
    }
    const PenstockValueType &type = *outputsOf(table)[output].type;
    const float *const values = outputs.values(output);
    return Numbers(values, values + (type.rows == PENSTOCK_ROWS_ONE ? 1 : rows * static_cast<std::size_t>(type.width)));
  }
  Numbers run(const char *name, const Kind &kind) { return run(name, kind, 0, kind.lengths.size()); }
};

Result<Trained> compiled(const Kind &kind, const Form &form, const std::string &level, int threads = 2) {
  const std::string path = testing::TempDir() + "batch_norm_" + kind.name + "_" + level + ".so";
  PENSTOCK_TRY(compileModule(textOf(kind, form), level, "fp32", path));
  return Trained::open(path, threads);
}

std::vector<std::string> levels() {
  std::vector<std::string> names = {testedLevel("avx2")};
  if (testsDevice()) {
    return names;
  }
  if (const Result<Level> machine = machineLevel(); machine.ok() && *machine > Level::avx2) {
    names.emplace_back("avx512");
  }
  return names;
}

TEST_P(BatchNorm, IsPyTorchsAsCompiledCode) {
  const Kind &kind = GetParam();
  const std::size_t all = kind.lengths.size();
  for (const std::string &level : levels()) {
    for (const std::string scenario : {"whole", "parts", "one", "frozen"}) {
      SCOPED_TRACE(level + " " + scenario);
      Form form;
      form.inParts = scenario == "parts";
      form.frozen = scenario == "frozen";
      Result<Trained> opened = compiled(kind, form, level);
      ASSERT_TRUE(opened.ok()) << opened.status().message();
      Trained &trained = *opened;
      trained.begin(kind);
      Numbers losses;
      for (std::size_t step = 0; step < torch(scenario + ".loss").size(); ++step) {
        if (!form.inParts) {
          losses.push_back(trained.run("train_step", kind, scenario == "one" ? all - 1 : 0, all)[0]);
          continue;
        }
        double loss = 0;
        std::size_t first = 0;
        for (std::size_t part = 0; part < kind.parts.size(); first += kind.parts[part++]) {
          loss +=
              trained.run("gradient", kind, first, first + kind.parts[part], static_cast<std::int32_t>(part), static_cast<float>(all))[0];
        }
        trained.run("apply", kind, 0, 0);
        losses.push_back(loss);
      }
      expectNear("loss", torch(scenario + ".loss"), losses, 1e-6);
      for (const char *name : names) {
        expectNear(name, torch(scenario + "." + name), trained.get(name), 1e-6);
      }
      if (!form.frozen) {
        EXPECT_EQ(trained.get("parts_of_one_row"), Numbers(1, scenario == "parts" ? 10 : scenario == "one" ? 1 : 0));
      }
      ASSERT_TRUE(trained.opened.session->complete().ok());
      expectNear("answer", torch(scenario + ".answer"), trained.run("predict", kind), 1e-6);
      expectNear("answer", torch(scenario + ".answer"), trained.run("evaluate", kind), 1e-6);
    }
  }
}

// Evaluation knows no neighbours: one record alone has the bits that it has in a batch.
TEST_P(BatchNorm, AnswersDoNotDependOnTheBatch) {
  const Kind &kind = GetParam();
  Result<Trained> opened = compiled(kind, {}, testedLevel("avx2"));
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  opened->begin(kind);
  opened->run("train_step", kind);
  ASSERT_TRUE(opened->opened.session->complete().ok());
  const Numbers all = opened->run("predict", kind);
  Numbers alone;
  for (std::size_t r = 0; r < kind.lengths.size(); ++r) {
    const Numbers one = opened->run("predict", kind, r, r + 1);
    alone.insert(alone.end(), one.begin(), one.end());
  }
  EXPECT_EQ(alone, all);
}

// Many blocks of rows: the sums are added in the same order, whoever makes them.
TEST_P(BatchNorm, DoesNotDependOnTheThreads) {
  Kind kind = GetParam();
  std::mt19937 random(7);
  for (int i = 0; i < 1009; ++i) {
    kind.lengths.push_back(kind.onAxis() ? 1 + static_cast<std::int32_t>(random() % 5) : 1);
  }
  Numbers rows(static_cast<std::size_t>(kind.rows() * kind.width));
  for (double &value : rows) {
    value = static_cast<double>(random() % 4096) / 1024 - 1;
  }
  std::map<int, std::vector<Numbers>> found;
  for (const int threads : {1, 2}) {
    Result<Trained> opened = compiled(kind, {}, levels().back(), threads);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    opened->begin(GetParam());
    opened->set("x", rows);
    opened->set("c", rows);
    for (int step = 0; step < 3; ++step) {
      found[threads].push_back(opened->run("train_step", kind));
    }
    for (const char *name : names) {
      found[threads].push_back(opened->get(name));
    }
  }
  EXPECT_EQ(found[1], found[2]);
}

// Frozen alone, a weight stays and the statistics move, or one statistic stays and all else moves; of two calls of one instance the
// second goes on from what the first left; what no loss reads moves nothing.
TEST_P(BatchNorm, StatesFollowWhatIsTrained) {
  const Kind &kind = GetParam();
  const auto states = [&](const Form &form) {
    Result<Trained> opened = compiled(kind, form, testedLevel("avx2"));
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    opened->begin(kind);
    opened->run("train_step", kind);
    std::map<std::string, Numbers> all;
    for (const char *name : names) {
      all[name] = opened->get(name);
    }
    return all;
  };
  const auto start = [&](const char *name) { return torch(std::string("start.") + name); };
  Form form;
  auto whole = states(form);
  for (const char *frozen : {"weight", "running_mean"}) {
    form.frozenAlone = {frozen};
    auto found = states(form);
    for (const char *name : names) {
      EXPECT_EQ(found[name], name == std::string_view(frozen) ? start(name) : whole[name]) << name;
    }
  }
  form = {};
  form.unread = true;
  auto unread = states(form);
  for (const char *name : {"weight", "bias", "running_mean", "running_var"}) {
    EXPECT_EQ(unread[name], start(name)) << name;
  }
  // The mean of the first result is the bias.
  form = {};
  form.twice = true;
  Numbers twice = whole["running_mean"];
  for (std::size_t i = 0; i < twice.size(); ++i) {
    twice[i] = 0.75 * twice[i] + 0.25 * start("bias")[i];
  }
  expectNear("twice", twice, states(form)["running_mean"], 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Kinds, BatchNorm, testing::ValuesIn(kinds), [](const auto &info) { return info.param.name; });

} // namespace
