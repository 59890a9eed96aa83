// One user of a model: the memory of its calls, and the work that it enqueued.
#pragma once

#include "runtime/abi/program_abi.h"
#include "runtime/base/status.h"
#include "runtime/device/device.h"
#include "runtime/device/thread_pool.h"
#include "runtime/exec/model.h"
#include "runtime/exec/output_buffers.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

namespace penstock {

/// Runs the entries that write nothing of the model: "evaluate" and "predict". Used by one thread at a time; calls allocate nothing once
/// the memory has seen the largest batch, and take no lock.
class Session {
public:
  /// The pool outlives the session, which keeps the model.
  static Result<std::unique_ptr<Session>> open(std::shared_ptr<const Model> model, ThreadPool &pool);
  /// Waits for what was enqueued.
  virtual ~Session();
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;

  const Model &model() const { return *of; }

  /// One call of an entry.
  struct Step {
    const PenstockBatch *batch = nullptr; // NULL of an entry that reads none
    std::uint64_t seed = 0;
    std::uint64_t number = 0;
    float learningRate = 0;
    std::int32_t part = 0;               // of "gradient"
    std::span<const float> weights = {}; // of "gradient", one a loss
  };
  /// Grows the memory for batches up to this many records, and rows of each axis; on the host what is never used costs address space alone.
  /// A failure leaves it as it was.
  Status reserve(int entry, std::int64_t records, std::int64_t rows);
  /// Enqueues a call, whose outputs are in `outputs` (NULL: it has none that are wanted) when the ticket is done. The batch and the
  /// weights may change when it returns.
  virtual Result<Ticket> submit(int entry, const Step &step, OutputBuffers *outputs = nullptr);
  bool done(Ticket ticket) { return stream->done(ticket); }
  /// Errors of the kernels are told here, too.
  Status wait(Ticket ticket);
  /// Waits for all that was enqueued.
  Status drain() { return wait(stream->ticket()); }
  /// `submit` and `wait`.
  Status run(int entry, const Step &step, OutputBuffers *outputs = nullptr);

  /// From now on tells `observer`, which outlives the session or is taken away again by NULL, of every step of a call.
  void observe(StepObserver *wanted) { observer = wanted; }

protected:
  Session(const Model &model, std::shared_ptr<const Model> kept, ThreadPool &pool) : of(&model), owner(std::move(kept)), workers(pool) {}
  Status openStream();
  /// What training has beside the model.
  struct Owed {
    char *deferred = nullptr;
    std::uint64_t deferredFirst = 0;
    float *gradients = nullptr;
  };
  Result<Ticket> enqueue(int entry, const Step &step, OutputBuffers *outputs, const Owed &owed);

private:
  /// What one call in flight points to.
  struct Slot {
    Launch launch;
    PenstockBatch batch{};
    std::vector<PenstockAxisBatch> axes;
    std::vector<const void *> inputs;
    std::vector<std::int64_t> rows, capacities, sections; // of each axis; of capacities of the records, too; of sections of the workers
    std::vector<const std::int64_t *> counts;             // where the program finds the rows of each axis, and the records
    std::vector<void *> outputs;
    DeviceMemory staging; // the block, and behind it what a device gets of the batch
    Ticket ticket = 0;
  };
  class Staging;
  Result<Slot *> freeSlot();
  Status grow(DeviceMemory &memory, std::size_t bytes, const char *what);
  /// Of block and batch with so many rows of each axis, and records behind them.
  Result<std::size_t> stagingBytes(std::span<const std::int64_t> capacities) const;
  /// Of an arena for so many rows of each axis, and records behind them.
  Result<std::size_t> bytesOfArena(const PenstockEntry &entry, std::span<const std::int64_t> capacities) const;
  /// For a call with the capacities of the slot. An error says how many records would fit where the device knows what it has.
  Status growArena(const PenstockEntry &entry, const Slot &slot);
  void placeSections(const PenstockEntry &entry, Slot &slot) const;
  void describeBatch(const PenstockBatch *batch, Slot &slot) const;
  Status stage(const Step &step, const Owed &owed, Slot &slot);

  const Model *of;
  std::shared_ptr<const Model> owner; // NULL where the model opened the session itself
  ThreadPool &workers;
  std::unique_ptr<Stream> stream;
  StepObserver *observer = nullptr;
  DeviceMemory arena;
  DeviceMemory arrived, leaving; // block, batch and outputs on a device of its own
  std::deque<Slot> slots;        // one of the host, which is done at once
  std::size_t nextSlot = 0;
};

/// A session that trains: it runs every entry, and alone writes the model's tensors and packed weights.
class TrainingSession final : public Session {
public:
  static Result<std::unique_ptr<TrainingSession>> open(const std::shared_ptr<Model> &model, ThreadPool &pool);
  ~TrainingSession() override;

  /// Any entry but train_step is preceded by what steps owe to rows that they passed by. Of several objectives all train_steps of one
  /// number are run, one after another. From the first call that writes on, until `complete`, nobody else may use the model.
  Result<Ticket> submit(int entry, const Step &step, OutputBuffers *outputs = nullptr) override;
  /// All that was enqueued is done, and the model is what the steps made of it: rows are up to date and weights packed. Call before the
  /// model's tensors are read, or another session runs.
  Status complete();

private:
  friend class Model;
  static Result<std::unique_ptr<TrainingSession>> open(Model &model, std::shared_ptr<Model> kept, ThreadPool &pool);
  TrainingSession(Model &model, std::shared_ptr<Model> kept, ThreadPool &pool) : Session(model, std::move(kept), pool), trained(model) {}
  Status settle();
  Owed owed() const;

  Model &trained;
  DeviceMemory gradients;
  // What steps owe to the rows that they passed by, and the first and next step of that time.
  DeviceMemory deferred;
  bool owes = false;
  int settleEntry = -1;
  int lastObjective = 0; // whose train_step ran last
  std::uint64_t deferredFirst = 0, nextStep = 0;
};

} // namespace penstock
