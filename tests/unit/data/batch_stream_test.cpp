#include "runtime/data/dataset_impl.h"
#include "runtime/data/permutation.h"

#include "support.h"
#include "tests/unit/allocations.h"

#include <chrono>
#include <cstdio>
#include <numeric>
#include <random>
#include <thread>

namespace penstock::test {
namespace {

/// A data set in memory: record r has lengths[r] ids, r * 1000 + position; class r % 3; number r / 4.
std::shared_ptr<const SplitDataset> makeDataset(const std::vector<std::int64_t> &lengths) {
  const Folder folder;
  Json json = textProgram(folder);
  json["columns"].push_back({{"name", "price"}, {"type", "number"}, {"from", "price"}});
  json["inputs"].push_back({{"name", "price"}, {"kind", "number"}, {"column", "price"}, {"target", false}});
  RecordProgram program = RecordProgram::link(specOf(json)).value();
  Fitted fitted;
  fitted.features.resize(1);
  fitted.classes = {{}, {"a", "b", "c"}, {}};

  const auto file = ScratchFile::create("").value();
  std::vector<std::int64_t> offsets = {0};
  SplitIds::Axis axis;
  std::vector<std::int32_t> ids, classes;
  std::vector<double> numbers;
  for (std::size_t r = 0; r < lengths.size(); ++r) {
    for (std::int64_t k = 0; k < lengths[r]; ++k) {
      ids.push_back(static_cast<std::int32_t>(r * 1000 + static_cast<std::size_t>(k)));
    }
    offsets.push_back(static_cast<std::int64_t>(ids.size()));
    classes.push_back(static_cast<std::int32_t>(r % 3));
    numbers.push_back(static_cast<double>(r) / 4);
    axis.longest = std::max(axis.longest, lengths[r]);
  }
  const std::size_t count = lengths.size();
  ids.resize((ids.size() + 15) / 16 * 16);
  EXPECT_TRUE(file->append(ids.data(), ids.size() * 4).ok());
  EXPECT_TRUE(file->append(offsets.data(), offsets.size() * 8).ok());
  EXPECT_TRUE(file->append(numbers.data(), count * 8).ok());
  EXPECT_TRUE(file->append(classes.data(), count * 4).ok());
  SplitIds split;
  split.file = file->map().value();
  split.records = static_cast<std::int64_t>(count);
  const char *at = split.file->data();
  axis.ids = reinterpret_cast<const std::int32_t *>(at);
  at += ids.size() * 4;
  axis.offsets = reinterpret_cast<const std::int64_t *>(at);
  at += offsets.size() * 8;
  axis.tokens = offsets.back();
  split.features = {axis};
  split.numbers = {nullptr, nullptr, reinterpret_cast<const double *>(at)};
  at += count * 8;
  split.classes = {nullptr, reinterpret_cast<const std::int32_t *>(at), nullptr};
  split.sets.resize(3);
  return std::make_shared<SplitDataset>(std::move(program), std::move(fitted), std::move(split));
}

std::vector<std::int64_t> raggedLengths(std::size_t count, std::int64_t most, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::int64_t> lengths;
  for (std::size_t i = 0; i < count; ++i) {
    lengths.push_back(1 + static_cast<std::int64_t>(random() % static_cast<unsigned>(most)));
  }
  return lengths;
}

struct Seen {
  std::int64_t epoch, step;
  std::vector<std::int64_t> records;
  friend bool operator==(const Seen &, const Seen &) = default;
};

void checkBatch(const Batch &batch, const std::vector<std::int64_t> &lengths) {
  const PenstockBatch &view = batch.view;
  ASSERT_EQ(view.records, static_cast<std::int64_t>(batch.records.size()));
  const PenstockAxisBatch &axis = view.axes[0];
  const auto *ids = static_cast<const std::int32_t *>(view.inputs[0]);
  const auto *classes = static_cast<const std::int32_t *>(view.inputs[1]);
  const auto *numbers = static_cast<const float *>(view.inputs[2]);
  ASSERT_EQ(axis.offsets[0], 0);
  for (std::int64_t r = 0; r < view.records; ++r) {
    const std::int64_t record = batch.records[static_cast<std::size_t>(r)];
    ASSERT_EQ(view.record_numbers[r], static_cast<std::uint64_t>(record));
    ASSERT_EQ(axis.offsets[r + 1] - axis.offsets[r], lengths[static_cast<std::size_t>(record)]);
    ASSERT_EQ(classes[r], record % 3);
    ASSERT_EQ(numbers[r], static_cast<float>(record) / 4);
    for (std::int32_t i = axis.offsets[r]; i < axis.offsets[r + 1]; ++i) {
      ASSERT_EQ(axis.row_record[i], r);
      ASSERT_EQ(axis.row_position[i], i - axis.offsets[r]);
      ASSERT_EQ(ids[i], record * 1000 + axis.row_position[i]);
    }
  }
  ASSERT_EQ(axis.rows, axis.offsets[view.records]);
  ASSERT_EQ(batch.tokens, axis.rows);
}

std::vector<Seen> readAll(const std::shared_ptr<const SplitDataset> &dataset, const BatchStream::Plan &plan,
                          const std::vector<std::int64_t> &lengths, int sleepEvery = 0) {
  std::vector<Seen> seen;
  const auto stream = BatchStream::start(dataset, plan);
  EXPECT_TRUE(stream.ok()) << stream.status().message();
  for (;;) {
    const Result<const Batch *> batch = stream.value()->next();
    EXPECT_TRUE(batch.ok());
    if (batch.value() == nullptr) {
      EXPECT_EQ(stream.value()->next().value(), nullptr) << "the end stays the end";
      return seen;
    }
    checkBatch(*batch.value(), lengths);
    seen.push_back({batch.value()->epoch, batch.value()->step, batch.value()->records});
    if (sleepEvery > 0 && seen.size() % static_cast<std::size_t>(sleepEvery) == 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(300));
    }
  }
}

TEST(BatchStream, OneEpochInOrder) {
  const auto lengths = raggedLengths(37, 11, 1);
  BatchStream::Plan plan;
  plan.batch = 5;
  const auto seen = readAll(makeDataset(lengths), plan, lengths);
  ASSERT_EQ(seen.size(), 8U);
  EXPECT_EQ(seen[7].records, (std::vector<std::int64_t>{35, 36}));
  std::int64_t next = 0;
  for (const Seen &batch : seen) {
    EXPECT_EQ(batch.epoch, 0);
    for (const std::int64_t record : batch.records) {
      EXPECT_EQ(record, next++);
    }
  }
}

TEST(BatchStream, ShufflesEachEpochAnewAndSeesEveryRecordOnce) {
  const auto lengths = raggedLengths(101, 7, 2);
  const auto dataset = makeDataset(lengths);
  BatchStream::Plan plan;
  plan.batch = 8;
  plan.shuffle = true;
  plan.seed = 42;
  plan.lastStep = 3 * 13;
  const auto seen = readAll(dataset, plan, lengths);
  ASSERT_EQ(seen.size(), 39U);
  std::vector<std::vector<std::int64_t>> epochs(3);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].step, static_cast<std::int64_t>(i));
    EXPECT_EQ(seen[i].epoch, static_cast<std::int64_t>(i / 13));
    auto &epoch = epochs[i / 13];
    epoch.insert(epoch.end(), seen[i].records.begin(), seen[i].records.end());
  }
  EXPECT_NE(epochs[0], epochs[1]);
  EXPECT_NE(epochs[1], epochs[2]);
  for (std::size_t e = 0; e < epochs.size(); ++e) {
    const Permutation order(101, 42, e);
    for (std::size_t i = 0; i < 101; ++i) {
      ASSERT_EQ(epochs[e][i], static_cast<std::int64_t>(order(i)));
    }
    std::sort(epochs[e].begin(), epochs[e].end());
    EXPECT_EQ(epochs[e].front(), 0);
    EXPECT_EQ(epochs[e].back(), 100);
    EXPECT_EQ(std::unique(epochs[e].begin(), epochs[e].end()), epochs[e].end());
  }
}

TEST(BatchStream, ResumesAnywhereAsIfItHadRun) {
  const auto lengths = raggedLengths(53, 9, 3);
  const auto dataset = makeDataset(lengths);
  BatchStream::Plan plan;
  plan.batch = 7;
  plan.shuffle = true;
  plan.seed = 5;
  plan.lastStep = 20;
  const auto all = readAll(dataset, plan, lengths);
  for (std::int64_t first = 0; first <= 20; ++first) {
    plan.firstStep = first;
    const auto rest = readAll(dataset, plan, lengths, 3);
    ASSERT_TRUE(std::equal(rest.begin(), rest.end(), all.begin() + first, all.end()));
  }
}

TEST(BatchStream, SlowAndFastConsumersSeeTheSame) {
  const auto lengths = raggedLengths(997, 5, 4);
  const auto dataset = makeDataset(lengths);
  BatchStream::Plan plan;
  plan.batch = 3;
  plan.shuffle = true;
  plan.lastStep = 900;
  const auto fast = readAll(dataset, plan, lengths);
  for (const int ahead : {0, 1, 2, 7, 100}) {
    plan.ahead = ahead;
    EXPECT_EQ(fast, readAll(dataset, plan, lengths, ahead == 1 ? 1 : 17));
  }
}

TEST(BatchStream, CanBeDroppedAtAnyMoment) {
  const auto lengths = raggedLengths(211, 5, 5);
  const auto dataset = makeDataset(lengths);
  BatchStream::Plan plan;
  plan.batch = 2;
  plan.lastStep = 1000000;
  for (int take = 0; take < 120; ++take) {
    auto stream = BatchStream::start(dataset, plan).value();
    for (int i = 0; i < take; ++i) {
      ASSERT_NE(stream->next().value(), nullptr);
    }
    if (take % 8 == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1)); // lets the producer fill the ring and park
    }
  }
}

TEST(BatchStream, EmptyAndOneRecord) {
  BatchStream::Plan plan;
  plan.shuffle = true;
  EXPECT_TRUE(readAll(makeDataset({}), plan, {}).empty());
  const auto one = readAll(makeDataset({3}), plan, {3});
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].records, (std::vector<std::int64_t>{0}));
}

TEST(BatchStream, SeveralAtOnce) {
  const std::vector<std::int64_t> lengths = raggedLengths(23, 7, 4);
  const auto dataset = makeDataset(lengths);
  for (const std::int64_t together : {1, 5, 70}) {
    BatchStream::Plan plan;
    plan.batch = 3;
    plan.lastStep = 211;
    plan.together = together;
    const auto stream = BatchStream::start(dataset, plan);
    ASSERT_TRUE(stream.ok());
    std::int64_t seen = 0;
    // Turns of unequal size: a step at the end of an epoch has fewer parts.
    for (std::int64_t turn = 0; seen < plan.lastStep; ++turn) {
      const std::int64_t count = std::max<std::int64_t>(1, turn % 3 == 1 ? together / 2 : together);
      const auto batches = stream.value()->next(count);
      ASSERT_TRUE(batches.ok());
      ASSERT_EQ(static_cast<std::int64_t>(batches->size()), std::min(count, plan.lastStep - seen));
      for (const Batch *batch : *batches) {
        EXPECT_EQ(batch->step, seen++);
        checkBatch(*batch, lengths);
      }
    }
    EXPECT_TRUE(stream.value()->next(together)->empty());
    EXPECT_FALSE(stream.value()->next(1000).ok());
  }
}

TEST(BatchStream, AHugeBatchIsTheWholeSet) {
  const std::vector<std::int64_t> lengths = {2, 3, 5};
  BatchStream::Plan plan;
  plan.batch = std::int64_t{1} << 60;
  const auto seen = readAll(makeDataset(lengths), plan, lengths);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].records.size(), 3U);
  plan.batch = 0;
  EXPECT_FALSE(BatchStream::start(makeDataset(lengths), plan).ok());
}

TEST(BatchStream, TheConsumerAllocatesNothing) {
  if (!countsAllocations) {
    GTEST_SKIP() << "a sanitizer counts for itself";
  }
  const auto dataset = makeDataset(raggedLengths(1009, 61, 6));
  BatchStream::Plan plan;
  plan.batch = 16;
  plan.shuffle = true;
  plan.lastStep = 1000;
  const auto stream = BatchStream::start(dataset, plan).value();
  const long before = allocationsOfThread;
  std::int64_t steps = 0;
  while (stream->next().value() != nullptr) {
    ++steps;
  }
  EXPECT_EQ(steps, 1000);
  EXPECT_EQ(allocationsOfThread, before);
}

TEST(BatchStream, Throughput) {
  const auto dataset = makeDataset(raggedLengths(20011, 119, 7));
  BatchStream::Plan plan;
  plan.batch = 32;
  plan.shuffle = true;
  plan.lastStep = 20 * 626;
  const auto stream = BatchStream::start(dataset, plan).value();
  const auto start = std::chrono::steady_clock::now();
  std::int64_t tokens = 0, batches = 0;
  for (const Batch *batch; (batch = stream->next().value()) != nullptr; ++batches) {
    tokens += batch->tokens;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_EQ(batches, plan.lastStep);
  std::printf("%.1f million tokens/s, %.2f microseconds a batch\n", static_cast<double>(tokens) / seconds / 1e6,
              seconds / static_cast<double>(batches) * 1e6);
}

} // namespace
} // namespace penstock::test
