// Many sessions of one model at once: equal answers. Built with a thread sanitizer, no race.
#include "runtime/base/program_rows.h"
#include "runtime/device/test_device.h"
#include "runtime/exec/session.h"
#include "tests/unit/exec/scratch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>

using namespace penstock;

namespace {

std::string environment(const char *name) {
  const char *const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// A batch of any program, without targets. Ids are 0 or 1, which every vocabulary has.
class RandomBatch {
public:
  RandomBatch(const PenstockProgram &program, std::int64_t records, unsigned seed) : axes(axesOf(program).size()) {
    std::mt19937 random(seed);
    for (std::int64_t r = 0; r < records; ++r) {
      numbers.push_back(seed * 1000u + static_cast<std::uint64_t>(r));
    }
    for (std::size_t a = 0; a < axes.size(); ++a) {
      Axis &axis = axes[a];
      const int parent = axesOf(program)[a].parent;
      const std::int64_t owners = parent == PENSTOCK_RECORDS ? records : views[static_cast<std::size_t>(parent)].rows;
      axis.offsets.push_back(0);
      std::vector<std::int32_t> placed(static_cast<std::size_t>(records));
      for (std::int32_t p = 0; p < owners; ++p) {
        const std::int32_t record =
            parent == PENSTOCK_RECORDS ? p : axes[static_cast<std::size_t>(parent)].record[static_cast<std::size_t>(p)];
        const auto count = static_cast<std::int32_t>(1 + random() % 13);
        for (std::int32_t i = 0; i < count; ++i) {
          axis.parent.push_back(p);
          axis.position.push_back(i);
          axis.record.push_back(record);
          axis.place.push_back(placed[static_cast<std::size_t>(record)]++);
          axis.zeros.push_back(0);
        }
        axis.offsets.push_back(static_cast<std::int32_t>(axis.parent.size()));
      }
      views.push_back({axis.offsets.back(), axis.offsets.data(), axis.parent.data(), axis.position.data(), axis.record.data(),
                       axis.place.data(), axis.zeros.data(), axis.zeros.data()});
    }
    view = {sizeof view, sizeof(PenstockAxisBatch), records, numbers.data(), views.data(), nullptr};
    for (const PenstockInputInfo &input : inputsOf(program)) {
      const std::int64_t count = penstock_rows_of(input.type, &view) * input.type->width;
      std::vector<std::int32_t> &values = memory.emplace_back();
      for (std::int64_t k = 0; k < count; ++k) {
        const float number = static_cast<float>(random() % 2048) / 1024 - 1;
        std::int32_t word = static_cast<std::int32_t>(random() % 2);
        if (input.type->element == PENSTOCK_F32) {
          std::memcpy(&word, &number, sizeof(word));
        }
        values.push_back(word);
      }
      inputs.push_back(input.target != 0 ? nullptr : values.data());
    }
    view.inputs = inputs.data();
  }
  RandomBatch(const RandomBatch &) = delete;

  PenstockBatch view{};

private:
  struct Axis {
    std::vector<std::int32_t> offsets, parent, position, record, place, zeros;
  };
  std::vector<Axis> axes;
  std::vector<PenstockAxisBatch> views;
  std::vector<std::uint64_t> numbers;
  std::vector<std::vector<std::int32_t>> memory;
  std::vector<const void *> inputs;
};

/// The bits of all outputs of "predict".
Result<std::string> predicted(Session &session, const RandomBatch &batch) {
  const int entry = session.model().entry("predict");
  OutputBuffers outputs;
  Session::Step step;
  step.batch = &batch.view;
  PENSTOCK_TRY(session.run(entry, step, &outputs));
  const auto given = outputsOf(entriesOf(session.model().table())[entry]);
  std::string bits;
  for (int i = 0; i < static_cast<int>(given.size()); ++i) {
    const PenstockValueType &type = *given[i].type;
    const std::int64_t bytes = penstock_rows_of(&type, &batch.view) * type.width * penstock_element_bytes(type.element);
    bits.append(reinterpret_cast<const char *>(outputs.values(i)), static_cast<std::size_t>(bytes));
  }
  return bits;
}

/// The host's memory and code as a device of its own, which keeps what its calls found.
class Recorder final : public Device {
public:
  struct Found {
    std::vector<const void *> addresses;
    std::vector<std::int64_t> capacities;
  };
  std::vector<Found> found;

  std::string_view name() const override { return "recorder"; }
  bool isHost() const override { return false; }
  Result<void *> allocate(std::size_t &bytes, const char *what, bool zeros) override { return hostDevice().allocate(bytes, what, zeros); }
  void release(void *memory, std::size_t bytes) override { hostDevice().release(memory, bytes); }
  std::int64_t capacity(std::int64_t rows) const override { return (rows + 255) / 256 * 256; }
  Result<std::unique_ptr<Stream>> openStream() override { return std::unique_ptr<Stream>(std::make_unique<Direct>(*this)); }

private:
  class Direct final : public Stream {
  public:
    explicit Direct(Recorder &device) : device(device) {}
    Status copyIn(void *to, const void *from, std::size_t bytes) override {
      std::memcpy(to, from, bytes);
      return {};
    }
    Status copyOut(void *to, const void *from, std::size_t bytes) override { return copyIn(to, from, bytes); }
    Status launch(const Launch &launch) override {
      const PenstockCall &call = launch.call;
      const PenstockAxisBatch &axis = call.batch->axes[0];
      device.found.push_back(
          {{call.block, call.arena, call.batch->record_numbers, axis.offsets, axis.row_record, axis.row_position, axis.row_word,
            call.batch->inputs[0]},
           {call.capacities[0], call.capacities[1], call.arena_sections[0], call.arena_sections[1], call.arena_sections[2]}});
      EXPECT_EQ(call.block->records, call.batch->records);
      const auto *const rows = reinterpret_cast<const std::int64_t *>(reinterpret_cast<const char *>(call.block) + call.block->rows_at);
      EXPECT_EQ(*rows, axis.rows);
      runLaunch(launch);
      return {};
    }
    Ticket ticket() override { return 0; }
    bool done(Ticket) override { return true; }
    Status wait(Ticket) override { return {}; }

  private:
    Recorder &device;
  };
};

class Sessions : public testing::Test {
protected:
  /// A model with random weights, packed.
  Result<std::shared_ptr<Model>> open(const std::string &program, Device &device) {
    PENSTOCK_ASSIGN(std::shared_ptr<Model> model, Model::open(program, device));
    PENSTOCK_ASSIGN(const std::unique_ptr<ThreadPool> pool, ThreadPool::create(2));
    PENSTOCK_TRY(model->initialize(7, *pool));
    PENSTOCK_TRY(model->pack(*pool));
    return model;
  }

  /// `expected`: the bits of the batches, which it is given where it is empty.
  void agree(const std::string &program, Device &device, int predictions, std::vector<std::string> &expected) {
    const auto opened = open(program, device);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    const std::shared_ptr<const Model> model = *opened;
    std::vector<std::unique_ptr<RandomBatch>> batches;
    for (const std::int64_t records : {1, 2, 7, 31, 0}) {
      batches.push_back(std::make_unique<RandomBatch>(model->table(), records, static_cast<unsigned>(records)));
    }
    if (expected.empty()) {
      auto pool = ThreadPool::create(1);
      auto session = Session::open(model, **pool);
      ASSERT_TRUE(session.ok()) << session.status().message();
      for (const auto &batch : batches) {
        const auto bits = predicted(**session, *batch);
        ASSERT_TRUE(bits.ok()) << bits.status().message();
        expected.push_back(*bits);
      }
    }
    EXPECT_FALSE(expected[3].empty());
    EXPECT_NE(expected[3].substr(0, expected[0].size()), expected[0]);
    constexpr int threads = 8;
    std::atomic<int> wrong = 0, right = 0;
    std::vector<std::thread> running;
    for (int t = 0; t < threads; ++t) {
      running.emplace_back([&, t] {
        auto pool = ThreadPool::create(1);
        auto session = Session::open(model, **pool);
        for (int i = 0; i < predictions / threads; ++i) {
          const std::size_t which = static_cast<std::size_t>(i + t) % batches.size();
          const auto bits = session.ok() ? predicted(**session, *batches[which]) : Result<std::string>(session.status());
          ++(bits.ok() && *bits == expected[which] ? right : wrong);
        }
      });
    }
    for (std::thread &one : running) {
      one.join();
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(right, predictions);
  }

  const std::string fixture = environment("PENSTOCK_BUILD") + "/tests/exec_fixture.so";
};

TEST_F(Sessions, OfTheFixtureAgree) {
  std::vector<std::string> bits;
  agree(fixture, hostDevice(), 10000, bits);
}

TEST_F(Sessions, OfTheTestDeviceAgree) {
  auto device = TestDevice::make("");
  ASSERT_TRUE(device.ok());
  std::vector<std::string> bits;
  agree(fixture, **device, 1000, bits);
  EXPECT_EQ((*device)->counts().copiesOut, 5 + 1000);
  EXPECT_EQ((*device)->counts().copiesIn, 5 + 1000 + 1 + 2) << "blocks with batches, that of `pack`, parameters and states";
}

// PENSTOCK_SESSIONS_PROGRAM: one that was compiled elsewhere, where this build has no compiler.
TEST_F(Sessions, OfACompiledProgramAgree) {
  Scratch scratch;
  std::string program = environment("PENSTOCK_SESSIONS_PROGRAM");
  const std::string command = environment("PENSTOCK_BUILD") + "/bin/penstock";
  if (program.empty()) {
    if (!fileExists(command)) {
      GTEST_SKIP() << "no compiler here, and PENSTOCK_SESSIONS_PROGRAM names no program";
    }
    program = scratch / "program.so";
    const std::string task = environment("PENSTOCK_SOURCE") + "/dsl_examples/tasks/maintenance_transformer.pipe";
    ASSERT_EQ(
        std::system(("PENSTOCK_CACHE=" + (scratch / "cache") + " " + command + " compile " + task + " -o " + program + " --quiet").c_str()),
        0);
  }
  std::vector<std::string> bits;
  agree(program, hostDevice(), 10000, bits);
  // With other capacities, and so other places in the arena.
  auto device = TestDevice::make("");
  ASSERT_TRUE(device.ok());
  for (const std::int64_t rows : {0, 1, 111, 112, 4099}) {
    EXPECT_GT((*device)->capacity(rows), hostDevice().capacity(rows));
  }
  agree(program, **device, 800, bits);
}

TEST_F(Sessions, FindBatchesOfEqualCapacitiesAtEqualAddresses) {
  Recorder device;
  const auto opened = open(fixture, device);
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  auto pool = ThreadPool::create(1);
  auto session = Session::open(*opened, **pool);
  ASSERT_TRUE(session.ok());
  device.found.clear();
  std::vector<std::string> bits;
  for (const std::int64_t records : {1031, 7, 13, 13}) { // the largest first, so that no memory grows
    // Slots of the session take turns, and share what lies on the device.
    const auto given = predicted(**session, RandomBatch((*opened)->table(), records, 5));
    ASSERT_TRUE(given.ok()) << given.status().message();
    bits.push_back(*given);
  }
  ASSERT_EQ(device.found.size(), 4u);
  EXPECT_EQ(device.found[1].addresses, device.found[2].addresses);
  EXPECT_EQ(device.found[1].capacities, (std::vector<std::int64_t>{256, 256, 0, 0, 0}));
  EXPECT_EQ(device.found[1].capacities, device.found[2].capacities);
  EXPECT_NE(device.found[0].addresses, device.found[1].addresses);
  EXPECT_EQ(bits[2], bits[3]);
}

TEST_F(Sessions, DoNotRunWhileTheModelIsTrained) {
  auto opened = open(fixture, hostDevice());
  ASSERT_TRUE(opened.ok());
  auto pool = ThreadPool::create(1);
  auto training = TrainingSession::open(*opened, **pool);
  auto reader = Session::open(*opened, **pool);
  ASSERT_TRUE(training.ok() && reader.ok());
  const RandomBatch batch((*opened)->table(), 5, 3);
  EXPECT_TRUE(predicted(**reader, batch).ok());
  Session::Step step;
  OutputBuffers outputs;
  step.batch = &batch.view;
  EXPECT_FALSE((*reader)->submit((*opened)->entry("pack"), {}, nullptr).ok()) << "it would write";
  EXPECT_TRUE((*training)->submit((*opened)->entry("pack"), {}).ok());
  EXPECT_FALSE(predicted(**reader, batch).ok());
  EXPECT_FALSE((*opened)->fetch(TensorClass::parameter).ok());
  EXPECT_TRUE((*training)->complete().ok());
  EXPECT_TRUE(predicted(**reader, batch).ok());
  EXPECT_TRUE((*opened)->fetch(TensorClass::parameter).ok());
}

} // namespace
