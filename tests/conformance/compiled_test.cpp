// Compiled steps of every record: against the float64 oracle, one record at a time against the batch, and one thread against
// many.
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

// Longer than a block of rows, one row alone, many short ones: 307 rows in 37 records.
Lengths makeLengths() {
  Lengths lengths = {131, 1, 2, 11, 1};
  for (int r = 0; r < 32; ++r) {
    lengths.push_back(1 + r * 7 % 11 % (r % 3 == 0 ? 2 : 11));
  }
  return lengths;
}

const Lengths &lengths() {
  static const Lengths made = makeLengths();
  return made;
}

// Large, so that the parameter itself does not round the gradient away: gradient = (before - after) / rate.
constexpr float rate = 1024;

/// The levels that this machine runs; where libraries are made for another machine, all; where a device is tested, its own.
std::vector<std::string> levels() {
  if (testsDevice()) {
    return {"cuda", "cuda-32", "cuda-256"};
  }
  auto machine = machineLevel();
  std::vector<std::string> names;
  for (Level level : {Level::avx2, Level::avx512}) {
    if (machine.ok() && (level <= *machine || std::getenv("PENSTOCK_CONFORMANCE_LIBRARIES") != nullptr)) {
      names.emplace_back(levelName(level));
    }
  }
  return names;
}

/// The gradients of a record's step in float64.
std::map<std::string, Tensor> oracle(const Record &record, const Batch &batch, const Globals &globals, double &loss) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<nn::NnDialect, func::FuncDialect>();
  ScopedDiagnosticHandler silent(&context, [](Diagnostic &) { return success(); });
  auto module = parseSourceString<ModuleOp>(moduleText(record, lengths()), &context);
  PassManager passes(&context, ModuleOp::getOperationName());
  passes.addPass(createDeriveEntriesPass());
  passes.addPass(createAutodiffPass());
  EXPECT_TRUE(module && succeeded(passes.run(*module)));
  Interpreter run(batch, globals);
  EXPECT_TRUE(run.run(module->lookupSymbol<func::FuncOp>("train_step"))) << run.error();
  loss = run.outputs["loss"].f[0];
  return run.gradients;
}

struct Case {
  std::size_t record;
  std::string level;
};

class Compiled : public testing::TestWithParam<Case> {
protected:
  const Record &record() const { return records()[GetParam().record]; }
};

class OfADevice : public Compiled {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OfADevice);

bool sameBits(float a, float b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

TEST_P(Compiled, EqualsTheOracleAloneAndAtAnyNumberOfThreads) {
  Batch batch = makeBatch(record(), lengths());
  Globals globals = makeGlobals(record(), lengths());
  auto library = compileRecord(record(), lengths(), GetParam().level, testing::TempDir());
  ASSERT_TRUE(library.ok()) << library.status().message();
  if (!testsDevice() && parseLevel(GetParam().level).value() > machineLevel().value()) {
    GTEST_SKIP() << "compiled for another machine";
  }

  double loss = 0;
  auto expected = oracle(record(), batch, globals, loss);
  auto after = runSteps(*library, globals, batch, 1, {rate});
  ASSERT_TRUE(after.ok()) << after.status().message();
  EXPECT_NEAR((*after)["loss"][0], loss, record().tolerance * std::max(1.0, std::abs(loss)) * 10);
  for (const auto &[name, before] : globals) {
    double largest = 1e-2;
    for (double v : expected[name].f) {
      largest = std::max(largest, std::abs(v));
    }
    const std::vector<float> &got = (*after)[name];
    ASSERT_EQ(got.size(), before.f.size()) << name;
    for (std::size_t k = 0; k < got.size(); ++k) {
      double gradient = (before.f[k] - static_cast<double>(got[k])) / rate;
      ASSERT_NEAR(gradient, expected[name].f[k], record().tolerance * largest) << name << "[" << k << "]";
    }
  }

  for (int threads : testsDevice() ? std::vector{2} : std::vector{2, 5}) {
    auto again = runSteps(*library, globals, batch, threads, {rate});
    ASSERT_TRUE(again.ok()) << again.status().message();
    for (const auto &[name, values] : *after) {
      for (std::size_t k = 0; k < values.size(); ++k) {
        ASSERT_TRUE(sameBits(values[k], (*again)[name][k])) << name << "[" << k << "] at " << threads << " threads";
      }
    }
  }

  if (!record().local) {
    return;
  }
  const std::vector<std::int32_t> &offsets = batch.offsets["tokens"];
  for (std::int64_t r : {std::int64_t(0), std::int64_t(1), std::int64_t(3), batch.records - 1}) {
    auto alone = runSteps(*library, globals, single(batch, r), 1, {rate});
    ASSERT_TRUE(alone.ok()) << alone.status().message();
    std::vector<Operand> tables = record().operands;
    tables.push_back(record().result);
    tables.back().name = "cotangent";
    for (const Operand &o : tables) {
      if (o.kind != Operand::Kind::rows && o.kind != Operand::Kind::records) {
        continue;
      }
      bool rows = o.kind == Operand::Kind::rows;
      std::size_t width = static_cast<std::size_t>(o.shape[0]);
      std::size_t first = static_cast<std::size_t>(rows ? offsets[static_cast<std::size_t>(r)] : r) * width;
      std::size_t last = static_cast<std::size_t>(rows ? offsets[static_cast<std::size_t>(r) + 1] : r + 1) * width;
      for (std::size_t k = first; k < last; ++k) {
        ASSERT_TRUE(sameBits((*after)[o.name][k], (*alone)[o.name][k]))
            << o.name << "[" << k << "] of record " << r << " depends on its neighbours";
      }
    }
  }
}

/// Of a device, precision bf16: operands of contractions, of attention's too, are rounded to 8 bits.
TEST_P(OfADevice, InBf16IsNearTheOracle) {
  const Batch batch = makeBatch(record(), lengths());
  const Globals globals = makeGlobals(record(), lengths());
  auto library = compileRecord(record(), lengths(), GetParam().level, testing::TempDir(), "bf16");
  ASSERT_TRUE(library.ok()) << library.status().message();
  double loss = 0;
  auto expected = oracle(record(), batch, globals, loss);
  auto after = runSteps(*library, globals, batch, 1, {rate}), again = runSteps(*library, globals, batch, 2, {rate});
  ASSERT_TRUE(after.ok() && again.ok()) << after.status().message();
  EXPECT_EQ(*after, *again);
  EXPECT_NEAR((*after)["loss"][0], loss, 2e-2 * std::max(1.0, std::abs(loss)));
  for (const auto &[name, before] : globals) {
    double largest = 1e-2;
    for (double v : expected[name].f) {
      largest = std::max(largest, std::abs(v));
    }
    for (std::size_t k = 0; k < before.f.size(); ++k) {
      const double gradient = (before.f[k] - static_cast<double>((*after)[name][k])) / rate;
      ASSERT_NEAR(gradient, expected[name].f[k], 2e-2 * largest) << name << "[" << k << "]";
    }
  }
}

/// Sets a variable of the environment while it lives.
class Environment {
public:
  Environment(const char *variable, const char *value) : name(variable) { ::setenv(variable, value, 1); }
  ~Environment() { ::unsetenv(name); }

private:
  const char *name;
};

/// Precision bf16: float32's bits where the machine has no instructions for it; with them, here AMX's emulated ones, what rounding
/// operands to 8 bits allows, and the same bits at any number of threads and for any neighbours.
TEST(Precision, Bf16IsFloat32WithoutInstructionsAndRoundsOperandsWithThem) {
  if (testsDevice()) {
    GTEST_SKIP() << "of the CPU's instructions";
  }
  for (const Record &record : records()) {
    if (record.name != "matmul" && record.name != "matmul_transposed" && record.name != "residual_block") {
      continue;
    }
    SCOPED_TRACE(record.name);
    const Batch batch = makeBatch(record, lengths());
    const Globals globals = makeGlobals(record, lengths());
    auto single32 = compileRecord(record, lengths(), "avx2", testing::TempDir());
    auto library = compileRecord(record, lengths(), "avx2", testing::TempDir(), "bf16");
    ASSERT_TRUE(single32.ok() && library.ok());
    auto expected = runSteps(*single32, globals, batch, 2, {rate}), fallen = runSteps(*library, globals, batch, 2, {rate});
    ASSERT_TRUE(expected.ok() && fallen.ok());
    EXPECT_EQ(*fallen, *expected); // at level avx2 no machine has them

    const Environment emulated("PENSTOCK_KERNELS", "emulated");
    auto after = runSteps(*library, globals, batch, 1, {rate}), again = runSteps(*library, globals, batch, 5, {rate});
    ASSERT_TRUE(after.ok() && again.ok());
    EXPECT_EQ(*again, *after);
    EXPECT_NE(*after, *expected);
    for (const auto &[name, before] : globals) {
      double largest = 1e-2;
      for (std::size_t k = 0; k < before.f.size(); ++k) {
        largest = std::max(largest, std::abs(before.f[k] - static_cast<double>((*expected)[name][k])));
      }
      for (std::size_t k = 0; k < before.f.size(); ++k) {
        ASSERT_NEAR((*after)[name][k], (*expected)[name][k], largest / 32) << name << "[" << k << "]";
      }
    }
    const std::vector<std::int32_t> &offsets = batch.offsets.at("tokens");
    auto alone = runSteps(*library, globals, single(batch, 3), 1, {rate});
    ASSERT_TRUE(alone.ok());
    const bool rows = record.operands[0].kind == Operand::Kind::rows;
    const std::int64_t width = record.operands[0].shape[0];
    for (std::int64_t k = (rows ? offsets[3] : 3) * width; k < (rows ? offsets[4] : 4) * width; ++k) {
      const std::size_t at = static_cast<std::size_t>(k);
      ASSERT_TRUE(sameBits((*after)[record.operands[0].name][at], (*alone)[record.operands[0].name][at]));
    }
  }
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (std::size_t r = 0; r < records().size(); ++r) {
    for (const std::string &level : levels()) {
      all.push_back({r, level});
    }
  }
  return all;
}

std::string nameOf(const testing::TestParamInfo<Case> &info) {
  std::string name = records()[info.param.record].name + "_" + info.param.level;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Records, Compiled, testing::ValuesIn(cases()), nameOf);
/// What the size of a team does is shown in float32.
std::vector<Case> casesOfADevice() {
  std::vector<Case> all = cases();
  std::erase_if(all, [](const Case &one) { return one.level != "cuda"; });
  return all;
}

INSTANTIATE_TEST_SUITE_P(Records, OfADevice, testing::ValuesIn(casesOfADevice()), nameOf);

} // namespace
