#include "runtime/exec/session.h"

#include "runtime/base/checked.h"
#include "runtime/base/program_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace penstock {

namespace {

// Calls that a device may be behind; the host is never.
constexpr std::size_t callsInFlight = 8;

constexpr const char *batchesOfDevice = "the batches of a device";

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

  /// Some values, with room for more; the next begin where the room ends.
  template <typename T> const T *add(const T *values, std::int64_t count, std::int64_t room) {
    return static_cast<const T *>(addBytes(values, count * std::int64_t{sizeof(T)}, room * std::int64_t{sizeof(T)}));
  }
  const void *addBytes(const void *values, std::int64_t count, std::int64_t room) {
    if (values == nullptr) {
      return nullptr;
    }
    if (to != nullptr && count > 0) {
      std::memcpy(to + end, values, static_cast<std::size_t>(count));
    }
    const std::uintptr_t place = device + end;
    end += roundedUp64(static_cast<std::size_t>(room));
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

Result<std::size_t> Session::bytesOfArena(const PenstockEntry &entry, std::span<const std::int64_t> capacities) const {
  return arenaBytes(entry, capacities, workers.workers()).size("the working memory of a step");
}

// What is in flight may still use the memory.
Status Session::grow(DeviceMemory &memory, std::size_t bytes, const char *what) {
  if (bytes <= memory.size()) {
    return {};
  }
  PENSTOCK_TRY(stream->wait(stream->ticket()));
  memory = DeviceMemory();
  Result<DeviceMemory> taken = DeviceMemory::allocate(of->device(), withRoom(bytes), what);
  if (!taken.ok()) {
    taken = DeviceMemory::allocate(of->device(), bytes, what);
  }
  PENSTOCK_ASSIGN(memory, std::move(taken));
  return {};
}

Result<std::size_t> Session::stagingBytes(std::span<const std::int64_t> capacities) const {
  const PenstockProgram &table = of->table();
  const auto records = Checked(capacities.back());
  Checked need = Checked(4096) + Checked(lossesOf(table).size()) * sizeof(float) + records * sizeof(std::uint64_t);
  std::int64_t arrays = 1;
  for (std::size_t i = 0; i < axesOf(table).size(); ++i) {
    const int parent = axesOf(table)[i].parent;
    const Checked owners = parent == PENSTOCK_RECORDS ? records : Checked(capacities[static_cast<std::size_t>(parent)]);
    need += (owners + 1 + Checked(capacities[i]) * 6) * sizeof(std::int32_t);
    arrays += 7;
  }
  for (const PenstockInputInfo &input : inputsOf(table)) {
    const PenstockValueType &type = *input.type;
    const Checked rows = type.rows == PENSTOCK_ROWS_RECORDS ? records
                         : type.rows == PENSTOCK_ROWS_AXIS  ? Checked(capacities[static_cast<std::size_t>(type.axis)])
                                                            : Checked(std::max<std::int64_t>(type.fixed_rows, 1));
    need += rows * type.width * penstock_element_bytes(type.element);
    ++arrays;
  }
  return (need + Checked(arrays) * 64).size("the batches of a device");
}

Status Session::reserve(int entry, std::int64_t records, std::int64_t rows) {
  std::vector<std::int64_t> capacities(axesOf(of->table()).size(), of->device().capacity(rows));
  capacities.push_back(of->device().capacity(records));
  PENSTOCK_ASSIGN(const std::size_t bytes, bytesOfArena(entriesOf(of->table())[entry], capacities));
  if (bytes > arena.size()) {
    PENSTOCK_TRY(stream->wait(stream->ticket()));
    PENSTOCK_ASSIGN(arena, DeviceMemory::allocate(of->device(), bytes, "the working memory of a step"));
  }
  if (of->device().isHost()) {
    return {};
  }
  PENSTOCK_ASSIGN(const std::size_t staged, stagingBytes(capacities));
  PENSTOCK_TRY(grow(arrived, staged, batchesOfDevice));
  for (Slot &slot : slots) {
    if (staged > slot.staging.size()) {
      PENSTOCK_ASSIGN(slot.staging, DeviceMemory::zeros(of->device().staging(), staged, batchesOfDevice));
    }
  }
  return {};
}

Status Session::growArena(const PenstockEntry &entry, const Slot &slot) {
  PENSTOCK_ASSIGN(const std::size_t bytes, bytesOfArena(entry, slot.capacities));
  const Status grown = grow(arena, bytes, "the working memory of a step");
  const std::size_t free = grown.ok() ? 0 : of->device().freeBytes();
  const std::int64_t records = slot.batch.records;
  if (free == 0 || records < 2) {
    return grown;
  }
  const auto fits = [&](std::int64_t fewer) {
    std::vector<std::int64_t> capacities;
    for (const std::int64_t rows : slot.rows) {
      capacities.push_back(of->device().capacity(static_cast<std::int64_t>(static_cast<double>(rows) * fewer / records)));
    }
    capacities.push_back(of->device().capacity(fewer));
    const Result<std::size_t> need = bytesOfArena(entry, capacities);
    return need.ok() && *need <= free;
  };
  std::int64_t most = records;
  while (most > 0 && !fits(most)) {
    most -= std::max<std::int64_t>(1, most / 16);
  }
  return {grown.code(),
          fmt::format("{}; {} of these {} records would fit", grown.message(), most == 0 ? "none" : std::to_string(most), records)};
}

// Their sum is known to fit.
void Session::placeSections(const PenstockEntry &entry, Slot &slot) const {
  slot.sections.clear();
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < slot.capacities.size(); ++i) {
    slot.sections.push_back(begin);
    begin += slot.capacities[i] * (i + 1 < slot.capacities.size() ? entry.arena->per_row[i] : entry.arena->per_record);
  }
  slot.sections.push_back(begin);
}

Result<Session::Slot *> Session::freeSlot() {
  Slot &slot = slots[nextSlot];
  nextSlot = (nextSlot + 1) % slots.size();
  PENSTOCK_TRY(stream->wait(slot.ticket));
  return &slot;
}

/// Writes the block of a call, and copies it to a device together with the batch.
Status Session::stage(const Step &step, const Owed &owed, Slot &slot) {
  const PenstockProgram &table = of->table();
  const bool onHost = of->device().isHost();
  const std::size_t axes = axesOf(table).size();
  const std::int64_t *const room = slot.capacities.data();
  const auto lay = [&](Staging staging) {
    const std::size_t rowsAt = roundedUp64(sizeof(PenstockStepBlock)), weightsAt = rowsAt + roundedUp64(axes * sizeof(std::int64_t));
    const PenstockStepBlock block = {sizeof block,
                                     step.learningRate,
                                     step.seed,
                                     step.number,
                                     owed.deferredFirst,
                                     step.part,
                                     slot.batch.records,
                                     static_cast<std::uint32_t>(rowsAt),
                                     static_cast<std::uint32_t>(weightsAt)};
    slot.launch.call.block = staging.add(&block, 1, 1);
    const std::int64_t *const rows = staging.add(slot.rows.data(), std::ssize(slot.rows), std::ssize(slot.rows));
    slot.counts.clear();
    for (std::size_t i = 0; i < axes; ++i) {
      slot.counts.push_back(rows + i);
    }
    slot.counts.push_back(&slot.launch.call.block->records);
    (void)staging.add(step.weights.data(), std::ssize(step.weights), std::ssize(step.weights));
    if (step.batch != nullptr && !onHost) {
      const PenstockBatch &batch = *step.batch;
      slot.batch.record_numbers = staging.add(batch.record_numbers, batch.records, room[axes]);
      for (std::size_t i = 0; i < axes; ++i) {
        const PenstockAxisBatch &from = batch.axes[i];
        const int parent = axesOf(table)[i].parent;
        const std::int64_t owners = parent == PENSTOCK_RECORDS ? batch.records : batch.axes[parent].rows;
        PenstockAxisBatch &to = slot.axes[i];
        to.offsets = staging.add(from.offsets, owners + 1, room[parent == PENSTOCK_RECORDS ? axes : static_cast<std::size_t>(parent)] + 1);
        for (const auto member : {&PenstockAxisBatch::row_parent, &PenstockAxisBatch::row_position, &PenstockAxisBatch::row_record,
                                  &PenstockAxisBatch::row_place, &PenstockAxisBatch::row_segment, &PenstockAxisBatch::row_word}) {
          to.*member = staging.add(from.*member, from.rows, room[i]);
        }
      }
      for (std::size_t i = 0; i < slot.inputs.size(); ++i) {
        const PenstockValueType &type = *inputsOf(table)[i].type;
        const std::int64_t bytes = type.width * penstock_element_bytes(type.element);
        const std::int64_t used = penstock_rows_of(&type, &batch);
        const std::int64_t most = type.rows == PENSTOCK_ROWS_RECORDS ? room[axes]
                                  : type.rows == PENSTOCK_ROWS_AXIS  ? room[type.axis]
                                                                     : used;
        slot.inputs[i] = staging.addBytes(batch.inputs[i], used * bytes, most * bytes);
      }
    }
    return staging.size();
  };
  const std::size_t bytes = lay(Staging(nullptr, nullptr));
  if (bytes > slot.staging.size()) {
    PENSTOCK_ASSIGN(slot.staging, DeviceMemory::zeros(of->device().staging(), withRoom(bytes), batchesOfDevice));
  }
  if (onHost) {
    lay(Staging(slot.staging.chars(), slot.staging.chars()));
    return {};
  }
  PENSTOCK_TRY(grow(arrived, bytes, batchesOfDevice));
  lay(Staging(slot.staging.chars(), arrived.chars()));
  return stream->copyIn(arrived.data(), slot.staging.data(), bytes);
}

/// What the call finds of the batch in the host's memory, and the capacities that follow from it.
void Session::describeBatch(const PenstockBatch *batch, Slot &slot) const {
  const PenstockProgram &table = of->table();
  const std::size_t axes = axesOf(table).size();
  // What reads no batch still computes places from its rows: there are none.
  slot.axes.assign(axes, PenstockAxisBatch{});
  slot.inputs.assign(inputsOf(table).size(), nullptr);
  slot.batch = {sizeof(PenstockBatch), sizeof(PenstockAxisBatch), 0, nullptr, slot.axes.data(), slot.inputs.data()};
  if (batch != nullptr && of->device().isHost()) {
    slot.batch = *batch;
  } else if (batch != nullptr) {
    slot.batch.records = batch->records;
    for (std::size_t i = 0; i < axes; ++i) {
      slot.axes[i].rows = batch->axes[i].rows;
    }
  }
  slot.rows.clear();
  slot.capacities.clear();
  for (std::size_t i = 0; i < axes; ++i) {
    slot.rows.push_back(slot.batch.axes[i].rows);
    slot.capacities.push_back(of->device().capacity(slot.rows.back()));
  }
  slot.capacities.push_back(of->device().capacity(slot.batch.records));
}

Result<Ticket> Session::enqueue(int index, const Step &step, OutputBuffers *outputs, const Owed &owed) {
  const PenstockEntry &entry = entriesOf(of->table())[index];
  const bool onHost = of->device().isHost();
  PENSTOCK_ASSIGN(Slot *const slot, freeSlot());
  slot->launch.call = {};
  describeBatch(step.batch, *slot);
  PENSTOCK_TRY(stage(step, owed, *slot));
  const PenstockBatch &batch = slot->batch;
  PENSTOCK_TRY(growArena(entry, *slot));
  placeSections(entry, *slot);
  if (outputs != nullptr) {
    PENSTOCK_TRY(outputs->prepare(entry, batch, of->device().staging()));
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
  launch.code = of->code.get();
  launch.observer = observer;
  launch.number = observer == nullptr ? 0 : observer->submitted(entry, step.batch);
  PenstockCall &call = launch.call;
  call.struct_size = sizeof(call);
  call.workers = workers.workers();
  call.pool = &workers;
  of->describe(call);
  call.gradients = owed.gradients;
  call.deferred = owed.deferred;
  call.arena = arena.chars();
  call.capacities = slot->capacities.data();
  call.arena_sections = slot->sections.data();
  call.batch = &batch;
  call.counts = slot->counts.data();
  call.outputs = outputs == nullptr ? nullptr : onHost ? outputs->pointers.data() : slot->outputs.data();
  PENSTOCK_TRY(stream->launch(launch));
  if (outputs != nullptr && !onHost && outputs->bytes > 0) {
    PENSTOCK_TRY(stream->copyOut(outputs->memory.data(), leaving.data(), outputs->bytes));
  }
  slot->ticket = stream->ticket();
  return slot->ticket;
}

Result<Ticket> Session::submit(int index, const Step &step, OutputBuffers *outputs) {
  if (!writesNothing(entriesOf(of->table())[index]) || of->inTraining) {
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
    const bool trains = std::string_view(entriesOf(table)[index].name) == "train_step";
    const int objective = entriesOf(table)[index].objective;
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
  if (!writesNothing(entriesOf(table)[index])) {
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
