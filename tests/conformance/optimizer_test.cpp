// Steps of the optimizer as compiled code: tables that are updated by the rows that are read against the same tables updated whole,
// bit for bit, and steps in parts against steps of one batch.
#include "compiler/dialect/Kernel/Kernel.h"
#include "compiler/dialect/Nn/Nn.h"
#include "compiler/emit/emit.h"
#include "compiler/pipeline/pipeline.h"
#include "runtime/base/program_rows.h"
#include "runtime/kernels/kernel_table.h"
#include "tests/conformance/opened_model.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <random>

using namespace penstock;
using conformance::OpenedModel;

namespace {

// 1,031 x 67 and 1,777 x 41 numbers are enough to be worth it; primes, so that no row ends with a vector.
std::string moduleText(const std::string &optimizer, const std::string &attributes) {
  return "module attributes {nn.inputs = [{name = \"tokens\", target = false, type = !nn.rows<records x @tokens x 1xi32>}, "
         "{name = \"label\", target = true, type = !nn.rows<records x 1xi32>}], nn.objectives = [{" +
         optimizer + "}]" + attributes + R"(} {
  nn.global @words : tensor<1031x67xf32> {tensor_class = "parameter", initializer = "normal", scale = 1.0 : f64, decays = true, rate = 0.5 : f64}
  nn.global @bags : tensor<1777x41xf32> {tensor_class = "parameter", initializer = "normal", scale = 0.1 : f64}
  nn.global @weight : tensor<108x3xf32> {tensor_class = "parameter", initializer = "uniform", scale = 0.3 : f64, decays = true}
  nn.global @bias : tensor<3xf32> {tensor_class = "parameter", rate = 3.0 : f64}
  nn.global @fixed : tensor<41xf32> {tensor_class = "parameter", initializer = "normal", scale = 0.1 : f64, frozen = true}
  func.func @model() {
    %ids = nn.input "tokens" {index = 0 : i64} : !nn.rows<records x @tokens x 1xi32>
    %label = nn.input "label" {index = 1 : i64} : !nn.rows<records x 1xi32>
    %words = nn.read @words : tensor<1031x67xf32>
    %bags = nn.read @bags : tensor<1777x41xf32>
    %weight = nn.read @weight : tensor<108x3xf32>
    %bias = nn.read @bias : tensor<3xf32>
    %fixed = nn.read @fixed : tensor<41xf32>
    %e = nn.embedding %ids, %words : !nn.rows<records x @tokens x 1xi32>, tensor<1031x67xf32> -> !nn.rows<records x @tokens x 67xf32>
    %t = nn.tanh %e : !nn.rows<records x @tokens x 67xf32>
    %s = nn.segment_sum %t : !nn.rows<records x @tokens x 67xf32> -> !nn.rows<records x 67xf32>
    %b = nn.bag_sum %ids, %bags : !nn.rows<records x @tokens x 1xi32>, tensor<1777x41xf32> -> !nn.rows<records x 41xf32>
    %f = nn.add %b, %fixed : !nn.rows<records x 41xf32>, tensor<41xf32> -> !nn.rows<records x 41xf32>
    %x = nn.concat %s, %f : !nn.rows<records x 67xf32>, !nn.rows<records x 41xf32> -> !nn.rows<records x 108xf32>
    %d = nn.dropout %x {p = 0.25 : f64, key = 7 : i64} : !nn.rows<records x 108xf32>
    %z = nn.matmul %d, %weight : !nn.rows<records x 108xf32>, tensor<108x3xf32> -> !nn.rows<records x 3xf32>
    %y = nn.add %z, %bias : !nn.rows<records x 3xf32>, tensor<3xf32> -> !nn.rows<records x 3xf32>
    %rows = nn.cross_entropy_rows %y, %label : !nn.rows<records x 3xf32>, !nn.rows<records x 1xi32> -> !nn.rows<records x 1xf32>
    %sum = nn.total %rows : !nn.rows<records x 1xf32> -> tensor<f32>
    %n = nn.record_count : tensor<f32>
    %loss = nn.div %sum, %n : tensor<f32>, tensor<f32> -> tensor<f32>
    nn.output "loss", %loss {index = 0 : i64} : tensor<f32>
    nn.output "answer", %y {index = 1 : i64} : !nn.rows<records x 3xf32>
    return
  }
}
)";
}

Result<std::string> compileModule(const std::string &text, const std::string &name) {
  mlir::DialectRegistry registry;
  registry.insert<nn::NnDialect, kernel::KernelDialect, mlir::func::FuncDialect>();
  registerEmitDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  std::string message;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    message += diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error ? diagnostic.str() + "\n" : "";
    return mlir::success();
  });
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  PENSTOCK_ASSIGN(const Level level, machineLevel());
  ProgramTable table;
  EmitOptions options;
  options.level = conformance::testedLevel(std::string(levelName(level)));
  options.emulated = conformance::testsEmulator();
  options.watched = std::getenv("PENSTOCK_CONFORMANCE_WATCHED") != nullptr;
  if (module) {
    (*module)->setAttr("penstock.level", mlir::StringAttr::get(&context, options.level));
  }
  if (!module || mlir::failed(lowerNnToLoops(*module, table))) {
    return internalError(message);
  }
  table.level = options.level;
  options.output = testing::TempDir() + "optimizer_" + name + ".so";
  PENSTOCK_TRY(emitSharedLibrary(*module, table, options));
  return options.output;
}

/// A batch of records of 1 to 9 ids. Some ids come often, most of them rarely or never; the last one is beyond a table.
struct Records {
  std::vector<std::int32_t> ids, labels, offsets = {0}, rowRecord, rowPosition;
  std::vector<std::uint64_t> numbers;
  PenstockAxisBatch axis{};
  const void *inputs[2] = {};
  PenstockBatch batch{};

  Records(std::int64_t step, std::int64_t first, std::int64_t last) {
    for (std::int64_t r = first; r < last; ++r) {
      std::mt19937 random(static_cast<unsigned>(step * 1000 + r));
      const std::int32_t length = 1 + static_cast<std::int32_t>(random() % 9);
      for (std::int32_t i = 0; i < length; ++i) {
        const unsigned kind = random() % 4;
        ids.push_back(static_cast<std::int32_t>(kind == 0 ? random() % 3 : kind < 3 ? 3 + random() % 40 : random() % 1031));
        rowRecord.push_back(static_cast<std::int32_t>(r - first));
        rowPosition.push_back(i);
      }
      offsets.push_back(static_cast<std::int32_t>(ids.size()));
      labels.push_back(static_cast<std::int32_t>(random() % 3));
      numbers.push_back(static_cast<std::uint64_t>(step * 1000 + r));
    }
    axis = {};
    axis.rows = static_cast<std::int64_t>(ids.size());
    axis.offsets = offsets.data();
    axis.row_parent = axis.row_record = rowRecord.data();
    axis.row_position = axis.row_place = rowPosition.data();
    inputs[0] = ids.data();
    inputs[1] = labels.data();
    batch = {sizeof batch, sizeof axis, last - first, numbers.data(), &axis, inputs};
  }
  Records(const Records &) = delete;
};

float rateOf(std::int64_t step, std::int64_t steps) { // warm-up, then linear to 0
  return 0.05f * (step < 7 ? static_cast<float>(step + 1) / 7 : static_cast<float>(steps - step) / static_cast<float>(steps - 7));
}

using Bits = std::vector<float>;

struct Plan {
  std::string library;
  int threads = 1;
  std::int64_t steps = 60;
  std::int64_t resumeAt = -1; // another program goes on from the tensors of the first
  std::int64_t evaluateEach = 0;
  std::int64_t partSize = 0; // records a part, of steps of 11; 0: the program's step is one batch
};

Result<OpenedModel> openModel(const std::string &library, ThreadPool &pool) {
  PENSTOCK_ASSIGN(OpenedModel opened, conformance::openModel(library, pool));
  PENSTOCK_TRY(opened.model->initialize(5, pool));
  return opened;
}

/// Parameters, states and losses after the steps.
Result<Bits> train(const Plan &plan) {
  PENSTOCK_ASSIGN(std::unique_ptr<ThreadPool> pool, ThreadPool::create(plan.threads));
  PENSTOCK_ASSIGN(OpenedModel opened, openModel(plan.library, *pool));
  Bits losses;
  OutputBuffers outputs;
  for (std::int64_t number = 0; number < plan.steps; ++number) {
    if (number == plan.resumeAt) {
      PENSTOCK_ASSIGN(OpenedModel next, openModel(plan.library, *pool));
      PENSTOCK_TRY(opened.session->complete());
      for (TensorClass which : {TensorClass::parameter, TensorClass::state}) {
        PENSTOCK_ASSIGN(const HostTensors tensors, opened.model->fetch(which));
        PENSTOCK_TRY(next.model->store(tensors));
      }
      opened = std::move(next);
    }
    const Model &model = *opened.model;
    Session::Step step;
    step.seed = 3;
    step.number = static_cast<std::uint64_t>(number);
    step.learningRate = rateOf(number, plan.steps);
    constexpr std::int64_t records = 11;
    constexpr float weight = records; // of the loss, which counts records
    double loss = 0;
    const std::int64_t size = plan.partSize > 0 ? plan.partSize : records;
    for (std::int64_t first = 0; first < records; first += size) {
      const Records part(number, first, std::min(first + size, records));
      step.batch = &part.batch;
      step.part = static_cast<std::int32_t>(first / size);
      step.weights = {&weight, 1};
      PENSTOCK_TRY(opened.session->run(model.entry(plan.partSize > 0 ? "gradient" : "train_step"), step, &outputs));
      loss += static_cast<double>(outputs.values(0)[0]);
    }
    if (plan.partSize > 0) {
      step.batch = nullptr;
      PENSTOCK_TRY(opened.session->run(model.entry("apply"), step));
    }
    losses.push_back(static_cast<float>(loss));
    if (plan.evaluateEach > 0 && number % plan.evaluateEach == 0) {
      const Records all(777, 0, 64);
      OutputBuffers answers;
      Session::Step look;
      look.batch = &all.batch;
      PENSTOCK_TRY(opened.session->complete());
      PENSTOCK_TRY(opened.session->run(model.entry("evaluate"), look, &answers));
    }
  }
  PENSTOCK_TRY(opened.session->complete());
  Bits all = losses;
  for (TensorClass which : {TensorClass::parameter, TensorClass::state}) {
    PENSTOCK_ASSIGN(const HostTensors tensors, opened.model->fetch(which));
    all.insert(all.end(), tensors.data(), tensors.data() + tensors.elements());
  }
  return all;
}

std::int64_t differing(const Bits &a, const Bits &b) {
  EXPECT_EQ(a.size(), b.size());
  std::int64_t count = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    count += std::memcmp(&a[i], &b[i], sizeof(float)) != 0;
  }
  return count;
}

struct Rule {
  const char *name, *text;
};

class Deferred : public testing::TestWithParam<Rule> {};

TEST_P(Deferred, EqualsUpdatesOfTheWholeTableBitForBit) {
  const auto [name, text] = GetParam();
  const Result<std::string> whole = compileModule(moduleText(text, ", nn.eager"), std::string(name) + "_whole");
  const Result<std::string> deferred = compileModule(moduleText(text, ""), std::string(name) + "_deferred");
  ASSERT_TRUE(whole.ok()) << whole.status().message();
  ASSERT_TRUE(deferred.ok()) << deferred.status().message();
  {
    auto pool = ThreadPool::create(1);
    const auto one = conformance::openModel(*whole, **pool), other = conformance::openModel(*deferred, **pool);
    ASSERT_TRUE(one.ok() && other.ok());
    EXPECT_EQ(one->model->table().deferred_bytes, 0);
    EXPECT_GT(other->model->table().deferred_bytes, 0);
    // No gradient of the size of a table.
    const auto arena = [](const Model &model) { return entriesOf(model.table())[model.entry("train_step")].arena->constant; };
    EXPECT_GT(arena(*one->model), (1031 * 67 + 1777 * 41) * 4);
    EXPECT_LT(arena(*other->model), 1031 * 67 * 4);
  }
  const Result<Bits> expected = train({*whole});
  ASSERT_TRUE(expected.ok()) << expected.status().message();
  const Result<Bits> start = train({*whole, 1, 0});
  EXPECT_GT(differing(*start, Bits(expected->begin() + 60, expected->end())), 1000);
  for (const Plan &plan : {Plan{*deferred}, Plan{*deferred, 2}, Plan{*deferred, 7}, Plan{*deferred, 2, 60, 23},
                           Plan{*deferred, 1, 60, -1, 5}, Plan{*deferred, 7, 60, 41, 13}, Plan{*whole, 7, 60, 23, 5}}) {
    const Result<Bits> found = train(plan);
    ASSERT_TRUE(found.ok()) << found.status().message();
    EXPECT_EQ(differing(*found, *expected), 0) << plan.threads << " threads, resumed at " << plan.resumeAt << ", evaluated each "
                                               << plan.evaluateEach;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rules, Deferred,
    testing::Values(Rule{"adamw", "kind = \"adamw\", weight_decay = 0.01 : f64"},
                    Rule{"adamw_clip", "kind = \"adamw\", weight_decay = 0.01 : f64, clip_norm = 0.5 : f64"},
                    Rule{"adamw_plain", "kind = \"adamw\", weight_decay = 0.0 : f64, beta1 = 0.8 : f64, clip_norm = 0.3 : f64"},
                    Rule{"adam_decay", "kind = \"adam\", weight_decay = 0.01 : f64, clip_norm = 0.5 : f64"}, Rule{"sgd", "kind = \"sgd\""},
                    Rule{"sgd_momentum", "kind = \"sgd\", momentum = 0.9 : f64, nesterov = true, weight_decay = 0.01 : f64"}),
    [](const auto &info) { return std::string(info.param.name); });

// What is kept of the steps since the last settling is bounded: the program settles when it is full.
TEST(DeferredRows, SettleWhenTheirHistoryIsFull) {
  const char *text = "kind = \"sgd\", weight_decay = 0.001 : f64";
  const Result<std::string> whole = compileModule(moduleText(text, ", nn.eager"), "full_whole");
  const Result<std::string> deferred = compileModule(moduleText(text, ""), "full_deferred");
  ASSERT_TRUE(whole.ok() && deferred.ok());
  auto pool = ThreadPool::create(1);
  const auto opened = conformance::openModel(*deferred, **pool);
  ASSERT_TRUE(opened.ok());
  const std::int64_t steps = opened->model->table().deferred_steps + 3;
  const Result<Bits> expected = train({*whole, 2, steps}), found = train({*deferred, 2, steps});
  ASSERT_TRUE(expected.ok() && found.ok());
  EXPECT_EQ(differing(*found, *expected), 0);
}

// A frozen parameter is never changed and has no state; the rate of a group multiplies that of the step.
TEST(Groups, FrozenStayAndRatesMultiply) {
  const Result<std::string> library = compileModule(moduleText("kind = \"sgd\"", ""), "groups");
  ASSERT_TRUE(library.ok()) << library.status().message();
  auto pool = ThreadPool::create(2);
  const auto opened = openModel(*library, **pool);
  ASSERT_TRUE(opened.ok());
  std::map<std::string, Bits> before, after;
  const auto take = [&](std::map<std::string, Bits> &to) {
    const auto parameters = opened->model->fetch(TensorClass::parameter);
    ASSERT_TRUE(parameters.ok());
    for (const TensorView &view : parameters->views()) {
      to[view.name].assign(view.data, view.data + view.elements);
    }
  };
  take(before);
  const Records records(0, 0, 11);
  OutputBuffers outputs;
  const auto run = [&](float rate) {
    Session::Step step;
    step.batch = &records.batch;
    step.seed = 3;
    step.learningRate = rate;
    ASSERT_TRUE(opened->model->initialize(5, **pool).ok());
    ASSERT_TRUE(opened->session->run(opened->model->entry("train_step"), step, &outputs).ok());
    ASSERT_TRUE(opened->session->complete().ok());
    take(after);
  };
  run(1);
  EXPECT_EQ(after["fixed"], before["fixed"]);
  const Bits weight = after["weight"], bias = after["bias"];
  run(3);
  // The bias, at three times the rate, went at rate 1 where it would have gone at rate 3: its values begin at 0, so exactly.
  for (std::size_t i = 0; i < bias.size(); ++i) {
    EXPECT_NE(bias[i], 0);
    EXPECT_NEAR(after["bias"][i], 3 * bias[i], std::fabs(bias[i]) * 1e-6);
  }
  double change = 0, changeAtThree = 0;
  for (std::size_t i = 0; i < weight.size(); ++i) {
    change += std::fabs(weight[i] - before["weight"][i]);
    changeAtThree += std::fabs(after["weight"][i] - before["weight"][i]);
  }
  EXPECT_NEAR(changeAtThree, 3 * change, change * 1e-4);
}

// The gradient of a step in parts is that of one batch but for the order of sums; masks of dropout are the same.
TEST(Parts, EqualOneBatch) {
  const char *text = "kind = \"adamw\", weight_decay = 0.01 : f64, clip_norm = 0.5 : f64";
  const Result<std::string> one = compileModule(moduleText(text, ", nn.eager"), "parts_one");
  const Result<std::string> parts = compileModule(moduleText(text, ", nn.accumulate"), "parts");
  ASSERT_TRUE(one.ok() && parts.ok()) << parts.status().message();
  const std::int64_t steps = 20;
  const Result<Bits> expected = train({*one, 1, steps});
  for (const std::int64_t size : {1, 4, 11}) {
    const Result<Bits> found = train({*parts, 1, steps, -1, 7, size});
    ASSERT_TRUE(expected.ok() && found.ok()) << found.status().message();
    for (std::int64_t i = 0; i < steps; ++i) {
      EXPECT_NEAR((*found)[static_cast<std::size_t>(i)], (*expected)[static_cast<std::size_t>(i)], 1e-5)
          << "step " << i << ", parts of " << size;
    }
    const Result<Bits> threads = train({*parts, 7, steps, 9, 7, size});
    ASSERT_TRUE(threads.ok());
    EXPECT_EQ(differing(*threads, *found), 0);
  }
}

// Answers (s - mean) * scale of the records' sums s of fixed rows; a step moves mean to mean / 2 + the sum of all s, and counts.
const char *const statesText = R"(module attributes {nn.inputs = [
    {name = "tokens", target = false, type = !nn.rows<records x @tokens x 1xi32>},
    {name = "label", target = true, type = !nn.rows<records x 1xi32>}], nn.objectives = [{kind = "adamw"}]} {
  nn.global @mean : tensor<3xf32> {tensor_class = "model_state"}
  nn.global @words : tensor<1031x3xf32> {tensor_class = "parameter", initializer = "normal", scale = 1.0 : f64, frozen = true}
  nn.global @scale : tensor<3xf32> {tensor_class = "fitted", initializer = "constant", scale = 2.0 : f64}
  nn.global @count : tensor<1xf32> {tensor_class = "training_state", initializer = "constant", scale = 5.0 : f64}
  nn.global @weight : tensor<3xf32> {tensor_class = "parameter", initializer = "ones"}
  func.func @model() {
    %mean = nn.read @mean : tensor<3xf32>
    %count = nn.read @count : tensor<1xf32>
    %words = nn.read @words : tensor<1031x3xf32>
    %scale = nn.read @scale : tensor<3xf32>
    %weight = nn.read @weight : tensor<3xf32>
    %one = nn.constant dense<1.0> : tensor<f32> : tensor<f32>
    %half = nn.constant dense<0.5> : tensor<f32> : tensor<f32>
    %ids = nn.input "tokens" {index = 0 : i64} : !nn.rows<records x @tokens x 1xi32>
    %e = nn.embedding %ids, %words : !nn.rows<records x @tokens x 1xi32>, tensor<1031x3xf32> -> !nn.rows<records x @tokens x 3xf32>
    %s = nn.segment_sum %e : !nn.rows<records x @tokens x 3xf32> -> !nn.rows<records x 3xf32>
    %all = nn.column_sum %s : !nn.rows<records x 3xf32> -> tensor<3xf32>
    %decayed = nn.mul %mean, %half : tensor<3xf32>, tensor<f32> -> tensor<3xf32>
    %next = nn.add %decayed, %all : tensor<3xf32>, tensor<3xf32> -> tensor<3xf32>
    nn.update @mean, %next : tensor<3xf32>
    %more = nn.add %count, %one : tensor<1xf32>, tensor<f32> -> tensor<1xf32>
    nn.update @count, %more : tensor<1xf32>
    %d = nn.sub %s, %mean : !nn.rows<records x 3xf32>, tensor<3xf32> -> !nn.rows<records x 3xf32>
    %y = nn.mul %d, %scale : !nn.rows<records x 3xf32>, tensor<3xf32> -> !nn.rows<records x 3xf32>
    %z = nn.mul %y, %weight : !nn.rows<records x 3xf32>, tensor<3xf32> -> !nn.rows<records x 3xf32>
    %loss = nn.total %z : !nn.rows<records x 3xf32> -> tensor<f32>
    nn.output "loss", %loss {index = 0 : i64} : tensor<f32>
    nn.output "answer", %y {index = 1 : i64} : !nn.rows<records x 3xf32>
    return
  }
}
)";

// A step reads the states that stood before it and leaves others; evaluation reads them and leaves them. Model states are among the
// tensors of the model, training states beside the moments, fitted tensors by themselves.
TEST(States, AreReadBeforeTheyAreWritten) {
  const Result<std::string> library = compileModule(statesText, "states");
  ASSERT_TRUE(library.ok()) << library.status().message();
  auto pool = ThreadPool::create(2);
  auto opened = openModel(*library, **pool);
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  const Model &model = *opened->model;
  const auto find = [&](TensorClass which, const std::string &name) {
    EXPECT_TRUE(opened->session->complete().ok());
    const auto tensors = model.fetch(which);
    for (const TensorView &view : tensors->views()) {
      if (view.name == name) {
        return Bits(view.data, view.data + view.elements);
      }
    }
    ADD_FAILURE() << "no tensor " << name;
    return Bits(3);
  };
  EXPECT_EQ(find(TensorClass::fitted, "scale"), Bits(3, 2.0f));
  EXPECT_EQ(find(TensorClass::state, "count"), Bits(1, 5.0f));
  EXPECT_EQ(model.fetch(TensorClass::state)->views().size(), 3u); // two moments of the weight
  const Records records(0, 0, 11);
  // The answers, and behind them the loss of a step.
  const auto run = [&](const char *name) {
    const int entry = model.entry(name);
    const PenstockEntry &table = entriesOf(model.table())[entry];
    Bits answers(11 * 3 + 1);
    OutputBuffers outputs;
    Session::Step step;
    step.batch = &records.batch;
    EXPECT_TRUE(opened->session->run(entry, step, &outputs).ok());
    if (const int loss = Model::output(table, "loss"); loss >= 0) {
      answers.back() = outputs.values(loss)[0];
    }
    if (const int answer = Model::output(table, "answer"); answer >= 0) {
      std::copy_n(outputs.values(answer), 33, answers.begin());
    }
    return answers;
  };
  const Bits first = run("evaluate"); // the mean is zero
  double sums[3] = {};
  for (std::size_t i = 0; i < 33; ++i) {
    sums[i % 3] += static_cast<double>(first[i]) / 2;
  }
  double mean[3] = {};
  for (int number = 0; number < 3; ++number) {
    double expected = 0;
    for (std::size_t i = 0; i < 33; ++i) {
      expected += static_cast<double>(first[i]) - 2 * mean[i % 3];
    }
    EXPECT_NEAR(run("train_step").back(), expected, 1e-3) << number;
    for (int i = 0; i < 3; ++i) {
      mean[i] = mean[i] / 2 + sums[i];
      EXPECT_NEAR(find(TensorClass::parameter, "mean")[static_cast<std::size_t>(i)], mean[i], 1e-4) << number;
    }
    EXPECT_EQ(find(TensorClass::state, "count"), Bits(1, static_cast<float>(6 + number)));
    const Bits evaluated = run("evaluate");
    for (std::size_t i = 0; i < 33; ++i) {
      EXPECT_NEAR(evaluated[i], first[i] - 2 * mean[i % 3], 1e-3) << number;
    }
  }
}

} // namespace
