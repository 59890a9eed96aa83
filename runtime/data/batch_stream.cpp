// Batches ahead of their consumer. One producer thread fills a ring of buffers; both sides count
// with atomics and only park (on a futex) when the ring has been empty or full for a while. The
// consumer takes no lock and allocates nothing.
#include "runtime/base/checked.h"
#include "runtime/base/philox.h"
#include "runtime/data/batch_buffers.h"
#include "runtime/data/dataset_impl.h"
#include "runtime/data/permutation.h"

#include <cstring>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <new>
#include <system_error>
#include <thread>

namespace penstock {

namespace {

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

constexpr int spins = 400;                                // about ten microseconds
constexpr std::int64_t ringBytes = std::int64_t{1} << 20; // small batches: as many as fit here stand ahead
constexpr std::int64_t mostAhead = 64;
constexpr std::int64_t reservedBytes = std::int64_t{64} << 20;

class Stream : public BatchStream {
public:
  Stream(std::shared_ptr<const SplitDataset> dataset, const Plan &plan, std::int64_t firstStep, std::int64_t lastStep, std::size_t slots)
      : dataset(std::move(dataset)), plan(plan), firstStep(firstStep), lastStep(lastStep) {
    taken.reserve(slots);
    for (std::size_t i = 0; i < slots; ++i) {
      ring.push_back(std::make_unique<BatchBuffers>(this->dataset->program, this->dataset->fitted.classCounts()));
    }
  }

  ~Stream() override {
    stopping.store(true);
    released.fetch_add(1); // changes the word that the producer may sleep on
    released.notify_one();
    if (producer.joinable()) {
      producer.join();
    }
  }

  /// `rows`: of the largest batch.
  Status begin(std::int64_t rows) {
    const std::int64_t axes = static_cast<std::int64_t>(dataset->program.axes.size());
    const auto slots = static_cast<std::int64_t>(ring.size());
    try {
      if (rows <= reservedBytes / 12 / std::max<std::int64_t>(axes * slots, 1)) {
        for (const auto &batch : ring) {
          batch->reserve(plan.batch, rows);
        }
      }
      producer = std::thread([this] { produce(); });
    } catch (const std::bad_alloc &) {
      return environmentError("not enough memory for batches of " + std::to_string(plan.batch) + " records");
    } catch (const std::system_error &error) {
      return environmentError(std::string("cannot start the thread that makes batches: ") + std::strerror(error.code().value()));
    }
    return Status::success();
  }

  Result<const Batch *> next() override {
    PENSTOCK_TRY(take(1));
    return taken.empty() ? nullptr : taken.front();
  }

  Result<std::span<const Batch *const>> next(std::int64_t count) override {
    PENSTOCK_TRY(take(count));
    return std::span<const Batch *const>(taken);
  }

private:
  /// Gives back what was handed out before and waits for the next batches.
  Status take(std::int64_t count) {
    while (!taken.empty()) {
      taken.pop_back();
      release();
    }
    if (count > static_cast<std::int64_t>(ring.size()) - 1) {
      return internalError("more batches at once are asked of a stream than it was planned for");
    }
    for (std::int64_t i = 0; i < count && firstStep + consumed + i < lastStep; ++i) {
      PENSTOCK_TRY(await(consumed + i));
      taken.push_back(ring[static_cast<std::size_t>(consumed + i) % ring.size()].get());
    }
    return Status::success();
  }

  Status await(std::int64_t number) {
    const auto mine = static_cast<int>(number);
    for (int spin = 0; filled.load(std::memory_order_acquire) == mine && spin < spins; ++spin) {
      relax();
    }
    while (filled.load(std::memory_order_acquire) == mine) {
      consumerSleeps.store(true, std::memory_order_seq_cst);
      if (filled.load(std::memory_order_seq_cst) == mine) {
        filled.wait(mine, std::memory_order_acquire);
      }
      consumerSleeps.store(false, std::memory_order_relaxed);
    }
    if (number == failedAt.load(std::memory_order_acquire)) {
      return environmentError("not enough memory for the next batch");
    }
    return Status::success();
  }

  /// Batches made and not given back, as counted by 32-bit words that may wrap.
  static std::uint32_t between(std::int64_t made, int given) {
    return static_cast<std::uint32_t>(made) - static_cast<std::uint32_t>(given);
  }

  /// Gives a buffer back. Wakes the producer once half of the ring is free, not for every batch.
  void release() {
    ++consumed;
    const auto given = static_cast<int>(consumed);
    released.store(given, std::memory_order_release);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (producerSleeps.load(std::memory_order_acquire) && between(filled.load(std::memory_order_relaxed), given) <= ring.size() / 2) {
      released.notify_one();
    }
  }

  /// False: the stream is being torn down.
  bool waitForRoom(std::int64_t made) {
    if (between(made, released.load(std::memory_order_acquire)) < ring.size()) {
      return !stopping.load(std::memory_order_relaxed);
    }
    for (;;) {
      const int given = released.load(std::memory_order_seq_cst);
      if (stopping.load() || between(made, given) <= ring.size() / 2) {
        producerSleeps.store(false, std::memory_order_relaxed);
        return !stopping.load();
      }
      producerSleeps.store(true, std::memory_order_seq_cst);
      if (released.load(std::memory_order_seq_cst) == given) {
        released.wait(given, std::memory_order_acquire);
      }
    }
  }

  void publish(std::int64_t made) {
    filled.store(static_cast<int>(made), std::memory_order_release);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (consumerSleeps.load(std::memory_order_relaxed)) {
      filled.notify_one();
    }
  }

  void produce() {
    std::int64_t made = 0;
    try {
      for (; firstStep + made < lastStep; ++made) {
        if (!waitForRoom(made)) {
          return;
        }
        collate(firstStep + made, *ring[static_cast<std::size_t>(made) % ring.size()]);
        publish(made + 1);
      }
    } catch (const std::exception &) {
      failedAt.store(made);
      publish(made + 1);
    }
  }

  void collate(std::int64_t step, BatchBuffers &batch) {
    const RecordProgram &program = dataset->program;
    const SplitIds &ids = dataset->ids;
    const std::int64_t records = dataset->records();
    const std::int64_t perEpoch = (records + plan.batch - 1) / plan.batch;
    const std::int64_t epoch = step / perEpoch;
    const std::int64_t begin = step % perEpoch * plan.batch;
    const std::int64_t count = std::min(plan.batch, records - begin);
    const Permutation order(static_cast<std::uint64_t>(records), plan.seed, static_cast<std::uint64_t>(epoch));
    batch.begin(count);
    batch.epoch = epoch;
    batch.step = step;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t record = plan.shuffle ? static_cast<std::int64_t>(order(static_cast<std::uint64_t>(begin + i))) : begin + i;
      batch.records[static_cast<std::size_t>(i)] = record;
      batch.recordNumbers()[i] = static_cast<std::uint64_t>(record);
    }
    for (std::size_t a = 0; a < program.axes.size(); ++a) {
      if (program.isSeriesAxis(a)) {
        chunk.clear();
        for (const std::int64_t record : batch.records) {
          chunk.push_back(dataset->series[static_cast<std::size_t>(record)]);
        }
        batch.addSeries(a, chunk);
        continue;
      }
      const SplitIds::Axis &axis = ids.features[static_cast<std::size_t>(program.axes[a])];
      std::int64_t rows = 0;
      for (const std::int64_t record : batch.records) {
        const std::int64_t row = dataset->rowOf(record);
        rows += axis.offsets[row + 1] - axis.offsets[row];
      }
      batch.setRows(a, rows);
      for (const std::int64_t record : batch.records) {
        const std::int64_t row = dataset->rowOf(record), first = axis.offsets[row];
        batch.addRows(a, axis.ids + first, axis.offsets[row + 1] - first, axis.rowWord == nullptr ? nullptr : axis.rowWord + first,
                      axis.firsts == nullptr ? -1 : axis.firsts[row]);
      }
    }
    for (std::size_t i = 0; i < program.inputs.size(); ++i) {
      const LinkedInput &input = program.inputs[i];
      const auto column = static_cast<std::size_t>(input.column);
      if (input.kind == InputSpec::Kind::tags) {
        const SplitIds::Tags &all = ids.tags[column];
        tags.clear();
        for (const std::int64_t record : batch.records) {
          tags.push_back(all.tags + all.offsets[record]);
        }
        batch.setTags(i, tags, static_cast<std::int32_t>(dataset->fitted.classes[column].size()));
        continue;
      }
      if (input.derived >= 0) {
        gather(ids, input, i, batch);
        continue;
      }
      for (std::int64_t r = 0; r < count && input.column >= 0; ++r) {
        const std::int64_t row = dataset->rowOf(batch.records[static_cast<std::size_t>(r)]);
        if (input.kind == InputSpec::Kind::classId) {
          const std::int32_t index = ids.classes[column][row]; // one that train lacks must reach no code as an index
          batch.classesOf(i)[r] = index < static_cast<std::int32_t>(dataset->fitted.classes[column].size()) ? index : -1;
        } else if (input.kind == InputSpec::Kind::set) {
          const auto labels = static_cast<std::int64_t>(dataset->fitted.classes[column].size());
          std::copy_n(ids.sets[column] + row * labels, labels, batch.numbersOf(i) + r * labels);
        } else {
          batch.numbersOf(i)[r] = static_cast<float>(ids.numbers[column][row]);
        }
      }
    }
    const std::int64_t stepsPerEpoch = (perEpoch + plan.together - 1) / plan.together;
    const std::int64_t ofStep = epoch * stepsPerEpoch + step % perEpoch / plan.together;
    batch.drawNoise(plan.seed, plan.trains ? static_cast<std::uint64_t>(ofStep) : noStep);
    batch.finish(true);
  }

  /// Fills an input of a derived feature.
  void gather(const SplitIds &ids, const LinkedInput &input, std::size_t index, BatchBuffers &batch) const {
    const auto which = static_cast<std::size_t>(input.derived);
    const auto width = static_cast<std::size_t>(input.width);
    if (input.axis >= 0) {
      batch.fillSeries(index, chunk, ids.derived[which]);
      return;
    }
    std::size_t r = 0;
    for (const std::int64_t record : batch.records) {
      const auto from = static_cast<std::size_t>(dataset->rowOf(record));
      if (ids.derived[which] != nullptr) {
        std::copy_n(ids.derived[which] + from * width, width, batch.numbersOf(index) + r * width);
      } else {
        batch.classesOf(index)[r] = ids.derivedIndices[which][from];
      }
      ++r;
    }
  }

  std::shared_ptr<const SplitDataset> dataset;
  const Plan plan;
  const std::int64_t firstStep, lastStep;
  std::vector<std::unique_ptr<BatchBuffers>> ring;
  // Of the producer, of the records of a batch:
  std::vector<const std::int32_t *> tags;
  std::vector<SeriesRecord> chunk;
  std::thread producer;
  // Of the consumer:
  std::int64_t consumed = 0;
  std::vector<const Batch *> taken; // handed out
  // Shared; `filled` and `released` count batches since the start, as 32-bit words, because a futex
  // takes no other.
  alignas(64) std::atomic<int> filled{0};
  std::atomic<bool> consumerSleeps{false};
  std::atomic<std::int64_t> failedAt{-1};
  alignas(64) std::atomic<int> released{0};
  std::atomic<bool> producerSleeps{false};
  std::atomic<bool> stopping{false};
};

/// Rows of the largest batch, as far as is known before it is made.
Result<std::int64_t> mostRows(const SplitDataset &dataset, std::int64_t batch) {
  std::int64_t most = 0;
  for (const SeriesRecord &record : dataset.series) {
    most = std::max(most, record.length());
  }
  most = std::min(most, std::numeric_limits<std::int64_t>::max() / batch) * batch;
  for (const int feature : dataset.program.axes) {
    if (feature == seriesAxis) {
      continue;
    }
    const SplitIds::Axis &axis = dataset.ids.features[static_cast<std::size_t>(feature)];
    const Result<std::int64_t> product = (Checked(batch) * Checked(axis.longest)).get("a batch");
    const std::int64_t rows = product.ok() ? std::min(product.value(), axis.tokens) : axis.tokens;
    most = std::max(most, rows);
  }
  if (most > std::numeric_limits<std::int32_t>::max()) {
    return invalidInput(fmt::format("a batch of {} records could have {} tokens; a batch has at "
                                    "most {}: make `batch` or `max_length` smaller",
                                    batch, most, std::numeric_limits<std::int32_t>::max()));
  }
  return most;
}

} // namespace

Result<std::unique_ptr<BatchStream>> BatchStream::start(std::shared_ptr<const Dataset> dataset, const Plan &plan) {
  auto split = std::dynamic_pointer_cast<const SplitDataset>(dataset);
  if (split == nullptr) {
    return internalError("a batch stream was asked for a data set of another kind");
  }
  if (plan.batch < 1 || plan.firstStep < 0 || plan.ahead < 0 || plan.together < 1) {
    return internalError("a batch stream was asked for batches without records or for steps below 0");
  }
  Plan own = plan;
  const std::int64_t records = split->records();
  own.batch = std::clamp<std::int64_t>(plan.batch, 1, std::max<std::int64_t>(records, 1));
  const std::int64_t perEpoch = (records + own.batch - 1) / own.batch;
  std::int64_t last = plan.lastStep;
  if (records == 0) {
    last = plan.firstStep;
  } else if (last < 0) {
    last = (plan.firstStep / perEpoch + 1) * perEpoch;
  }
  PENSTOCK_ASSIGN(const std::int64_t rows, mostRows(*split, own.batch));
  const double mean = records == 0 ? 0 : static_cast<double>(split->tokens()) / static_cast<double>(split->records());
  double ofRow = 12, ofRecord = 32; // bytes
  for (const LinkedInput &input : split->program.inputs) {
    (input.axis < 0 ? ofRecord : ofRow) += input.kind == InputSpec::Kind::number ? 4 * static_cast<double>(input.width) : 0;
  }
  const double bytes = static_cast<double>(own.batch) * (mean * ofRow + ofRecord) + 1;
  const auto fits = static_cast<std::int64_t>(static_cast<double>(ringBytes) / bytes);
  // A producer that sleeps has filled half of the ring at least: enough for what is asked for at once.
  const std::int64_t least = plan.together == 1 ? 1 : 2 * plan.together;
  const std::int64_t ahead = std::max<std::int64_t>({least, std::min<std::int64_t>(plan.ahead, 1024), std::min(fits, mostAhead)});
  try {
    auto stream = std::make_unique<Stream>(std::move(split), own, plan.firstStep, last, static_cast<std::size_t>(ahead + 1));
    PENSTOCK_TRY(stream->begin(rows));
    return std::unique_ptr<BatchStream>(std::move(stream));
  } catch (const std::bad_alloc &) {
    return environmentError("not enough memory for batches");
  }
}

} // namespace penstock
