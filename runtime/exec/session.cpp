#include "runtime/exec/session.h"

#include "runtime/base/checked.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace penstock {

namespace {

// Calls that a device may be behind; the host is never.
constexpr std::size_t callsInFlight = 8;

Checked roundUp16(std::int64_t count) { return Checked(count / 16 + (count % 16 != 0 ? 1 : 0)) * Checked(16); }
/// The same of a count that is known to fit.
std::int64_t roundedUp16(std::int64_t count) { return (count + 15) / 16 * 16; }
std::size_t roundedUp64(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

/// A quarter more, so that a run of slowly growing batches does not map memory at every one.
std::size_t withRoom(std::size_t bytes) { return bytes + bytes / 4; }

bool writesNothing(const PenstockEntry &entry) {
  const std::string_view name = entry.name;
  return name == "evaluate" || name == "predict";
}

} // namespace

/// Lays out in one range of bytes what a call reads of the host's memory, and where a device finds it.
class Session::Staging {
public:
  /// With `to` NULL only counts. `device`: where the range will lie there.
  Staging(char *to, const void *device) : to(to), device(reinterpret_cast<std::uintptr_t>(device)) {}

  template <typename T> const T *add(const T *values, std::int64_t count) {
    return static_cast<const T *>(addBytes(values, count * static_cast<std::int64_t>(sizeof(T))));
  }
  const void *addBytes(const void *values, std::int64_t count) {
    if (values == nullptr) {
      return nullptr;
    }
    const auto bytes = static_cast<std::size_t>(count);
    if (to != nullptr && bytes > 0) {
      std::memcpy(to + end, values, bytes);
    }
    const std::uintptr_t place = device + end;
    end += roundedUp64(bytes);
    return reinterpret_cast<const void *>(place);
  }
  std::size_t size() const { return end; }

private:
  char *to;
  std::uintptr_t device;
  std::size_t end = 0;
};

Result<std::unique_ptr<Session>> Session::open(std::shared_ptr<const Model> model, ThreadPool &pool) {
  const Model &of = *model;
  std::unique_ptr<Session> session(new Session(of, std::move(model), pool));
  PENSTOCK_TRY(session->openStream());
  return session;
}

Session::~Session() {
  if (stream != nullptr) {
    (void)drain();
  }
}

Status Session::openStream() {
  PENSTOCK_ASSIGN(stream, of->device().openStream());
  slots.resize(of->device().isHost() ? 1 : callsInFlight);
  return {};
}

template <typename Rows> Result<std::size_t> Session::arenaBytes(const PenstockEntry &entry, std::int64_t records, const Rows &rows) const {
  Checked need = Checked(entry.arena.constant) + Checked(workers.workers()) * Checked(entry.arena.per_worker) +
                 roundUp16(records) * Checked(entry.arena.per_record);
  for (int i = 0; records > 0 && i < of->table().axis_count; ++i) {
    need += roundUp16(rows(i)) * Checked(entry.arena.per_row[i]);
  }
  return need.size("the working memory of a step");
}

// What is in flight may still use the memory.
Status Session::grow(DeviceMemory &memory, std::size_t bytes, const char *what) {
  if (bytes <= memory.size()) {
    return {};
  }
  PENSTOCK_TRY(stream->wait(stream->ticket()));
  memory = DeviceMemory();
  PENSTOCK_ASSIGN(memory, DeviceMemory::allocate(of->device(), withRoom(bytes), what));
  return {};
}

Status Session::reserve(int entry, std::int64_t records, std::int64_t rows) {
  PENSTOCK_ASSIGN(const std::size_t bytes, arenaBytes(of->table().entries[entry], records, [rows](int) { return rows; }));
  if (bytes > arena.size()) {
    PENSTOCK_TRY(stream->wait(stream->ticket()));
    PENSTOCK_ASSIGN(arena, DeviceMemory::allocate(of->device(), bytes, "the working memory of a step"));
  }
  return {};
}

// Their sum is known to fit.
void Session::placeSections(const PenstockEntry &entry, Slot &slot) const {
  slot.sections.clear();
  std::int64_t begin = 0;
  for (int i = 0; i < of->table().axis_count; ++i) {
    slot.sections.push_back(begin);
    begin += slot.batch.records > 0 ? roundedUp16(slot.batch.axes[i].rows) * entry.arena.per_row[i] : 0;
  }
  slot.sections.push_back(begin);
  slot.sections.push_back(begin + roundedUp16(slot.batch.records) * entry.arena.per_record);
}

Result<Session::Slot *> Session::freeSlot() {
  Slot &slot = slots[nextSlot];
  nextSlot = (nextSlot + 1) % slots.size();
  PENSTOCK_TRY(stream->wait(slot.ticket));
  return &slot;
}

/// Copies batch and weights to the device, in one piece.
Status Session::stage(const Step &step, Slot &slot) {
  const PenstockProgram &table = of->table();
  const PenstockBatch *const batch = step.batch;
  const auto lay = [&](Staging staging) {
    if (batch != nullptr) {
      slot.batch.record_numbers = staging.add(batch->record_numbers, batch->records);
      for (int i = 0; i < table.axis_count; ++i) {
        const PenstockAxisBatch &from = batch->axes[i];
        const int parent = table.axes[i].parent;
        const std::int64_t owners = parent == PENSTOCK_RECORDS ? batch->records : batch->axes[parent].rows;
        PenstockAxisBatch &to = slot.axes[static_cast<std::size_t>(i)];
        to.rows = from.rows;
        to.offsets = staging.add(from.offsets, owners + 1);
        for (const auto member : {&PenstockAxisBatch::row_parent, &PenstockAxisBatch::row_position, &PenstockAxisBatch::row_record,
                                  &PenstockAxisBatch::row_place, &PenstockAxisBatch::row_segment, &PenstockAxisBatch::row_word}) {
          to.*member = staging.add(from.*member, from.rows);
        }
      }
      for (int i = 0; i < table.input_count; ++i) {
        const PenstockValueType &type = *table.inputs[i].type;
        const std::int64_t bytes = penstock_rows_of(&type, batch) * type.width * penstock_element_bytes(type.element);
        slot.inputs[static_cast<std::size_t>(i)] = staging.addBytes(batch->inputs[i], bytes);
      }
    }
    slot.launch.call.weights = staging.add(step.weights.data(), static_cast<std::int64_t>(step.weights.size()));
    return staging.size();
  };
  const std::size_t bytes = lay(Staging(nullptr, nullptr));
  if (bytes == 0) {
    return {};
  }
  PENSTOCK_TRY(grow(arrived, bytes, "the batches of a device"));
  if (bytes > slot.staging.size()) {
    PENSTOCK_ASSIGN(slot.staging, DeviceMemory::allocate(hostDevice(), withRoom(bytes), "the batches of a device"));
  }
  lay(Staging(slot.staging.chars(), arrived.chars()));
  return stream->copyIn(arrived.data(), slot.staging.data(), bytes);
}

Result<Ticket> Session::enqueue(int index, const Step &step, OutputBuffers *outputs, const Owed &owed) {
  const PenstockProgram &table = of->table();
  const PenstockEntry &entry = table.entries[index];
  const bool onHost = of->device().isHost();
  PENSTOCK_ASSIGN(Slot *const slot, freeSlot());
  // What reads no batch still computes places from its rows: there are none.
  slot->axes.assign(static_cast<std::size_t>(table.axis_count), PenstockAxisBatch{});
  slot->inputs.resize(static_cast<std::size_t>(table.input_count));
  slot->batch = {0, nullptr, slot->axes.data(), slot->inputs.data()};
  if (step.batch != nullptr) {
    if (onHost) {
      slot->batch = *step.batch;
    } else {
      slot->batch.records = step.batch->records;
    }
  }
  slot->launch.call = {};
  if (onHost) {
    slot->launch.call.weights = step.weights.data();
  } else {
    PENSTOCK_TRY(stage(step, *slot));
  }
  const PenstockBatch &batch = slot->batch;
  PENSTOCK_ASSIGN(const std::size_t bytes, arenaBytes(entry, batch.records, [&](int i) { return batch.axes[i].rows; }));
  PENSTOCK_TRY(grow(arena, bytes, "the working memory of a step"));
  placeSections(entry, *slot);
  if (outputs != nullptr) {
    PENSTOCK_TRY(outputs->prepare(entry, batch));
    if (!onHost) {
      PENSTOCK_TRY(grow(leaving, outputs->bytes, "the answers of a device"));
      slot->outputs.resize(outputs->places.size());
      for (std::size_t i = 0; i < slot->outputs.size(); ++i) {
        slot->outputs[i] = leaving.chars() + outputs->places[i];
      }
    }
  }
  Launch &launch = slot->launch;
  launch.entry = &entry;
  launch.observer = observer;
  PenstockCall &call = launch.call;
  call.struct_size = sizeof(call);
  call.workers = workers.workers();
  call.pool = &workers;
  of->describe(call);
  call.arena = arena.chars();
  call.batch = &batch;
  call.outputs = outputs == nullptr ? nullptr : onHost ? outputs->pointers.data() : slot->outputs.data();
  call.seed = step.seed;
  call.step = step.number;
  call.learning_rate = step.learningRate;
  call.deferred = owed.deferred;
  call.deferred_first = owed.deferredFirst;
  call.gradients = owed.gradients;
  call.part = step.part;
  call.arena_sections = slot->sections.data();
  PENSTOCK_TRY(stream->launch(launch));
  if (outputs != nullptr && !onHost && outputs->bytes > 0) {
    PENSTOCK_TRY(stream->copyOut(outputs->memory.data(), leaving.data(), outputs->bytes));
  }
  slot->ticket = stream->ticket();
  return slot->ticket;
}

Result<Ticket> Session::submit(int index, const Step &step, OutputBuffers *outputs) {
  if (!writesNothing(of->table().entries[index]) || of->inTraining) {
    return internalError(
        "a session that does not train was asked to write its model, or to read one that is being trained; please report this");
  }
  return enqueue(index, step, outputs, {});
}

Status Session::wait(Ticket ticket) {
  PENSTOCK_TRY(stream->wait(ticket));
  return of->statusOfKernels();
}

Status Session::run(int index, const Step &step, OutputBuffers *outputs) {
  PENSTOCK_ASSIGN(const Ticket ticket, submit(index, step, outputs));
  return wait(ticket);
}

Result<std::unique_ptr<TrainingSession>> TrainingSession::open(const std::shared_ptr<Model> &model, ThreadPool &pool) {
  return open(*model, model, pool);
}

Result<std::unique_ptr<TrainingSession>> TrainingSession::open(Model &model, std::shared_ptr<Model> kept, ThreadPool &pool) {
  std::unique_ptr<TrainingSession> session(new TrainingSession(model, std::move(kept), pool));
  PENSTOCK_TRY(session->openStream());
  const PenstockProgram &table = model.table();
  if (table.gradient_elements > 0) {
    PENSTOCK_ASSIGN(
        session->gradients,
        DeviceMemory::allocate(model.device(), static_cast<std::size_t>(table.gradient_elements) * sizeof(float), "the sums of gradients"));
  }
  if (table.deferred_bytes > 0) {
    session->settleEntry = model.entry("settle");
    PENSTOCK_ASSIGN(session->deferred, DeviceMemory::zeros(model.device(), static_cast<std::size_t>(table.deferred_bytes),
                                                           "updates of rows that are due later"));
  }
  return session;
}

// Calls in flight use memory of this class.
TrainingSession::~TrainingSession() { (void)drain(); }

Session::Owed TrainingSession::owed() const { return {deferred.chars(), deferredFirst, gradients.floats()}; }

Result<Ticket> TrainingSession::submit(int index, const Step &step, OutputBuffers *outputs) {
  const PenstockProgram &table = model().table();
  if (table.deferred_bytes > 0) {
    const bool trains = std::string_view(table.entries[index].name) == "train_step";
    const int objective = table.entries[index].objective;
    // The next objective of the step that was begun.
    const bool goesOn = owes && trains && objective > lastObjective && step.number + 1 == nextStep;
    if (!goesOn && (!trains || (owes && (step.number != nextStep ||
                                         step.number - deferredFirst >= static_cast<std::uint64_t>(table.deferred_steps))))) {
      PENSTOCK_TRY(settle());
    }
    if (trains) {
      lastObjective = objective;
      if (!owes) {
        deferredFirst = step.number;
        owes = true;
      }
      nextStep = step.number + 1;
    }
  }
  if (!writesNothing(table.entries[index])) {
    trained.untouched = trained.packed = false;
    trained.inTraining = true;
  }
  return enqueue(index, step, outputs, owed());
}

Status TrainingSession::settle() {
  if (!owes) {
    return {};
  }
  owes = false;
  Step step;
  step.number = nextStep;
  return enqueue(settleEntry, step, nullptr, owed()).status();
}

Status TrainingSession::complete() {
  PENSTOCK_TRY(settle());
  if (const int pack = model().entry("pack"); pack >= 0 && !trained.packed) {
    PENSTOCK_TRY(enqueue(pack, {}, nullptr, owed()).status());
  }
  PENSTOCK_TRY(drain());
  trained.packed = true;
  trained.inTraining = false;
  return {};
}

} // namespace penstock
