// Where tensors lie and entries run: the CPU with the host's memory, or a device of its own. See docs/design/device.md.
#pragma once

#include "runtime/abi/program_abi.h"
#include "runtime/base/status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace penstock {

/// Sees every step of the launches of a session.
class StepObserver {
public:
  virtual ~StepObserver() = default;
  /// A launch is submitted; `batch` lies in the host's memory, NULL of an entry that reads none. The answer is the launch's number.
  virtual std::int64_t submitted(const PenstockEntry &entry, const PenstockBatch *batch) = 0;
  /// Step `index` of a launch ran from `begin` to `end`, nanoseconds of one clock. Told of what is done, in order; of a launch on another
  /// device than the host when somebody asks whether it is done.
  virtual void ran(std::int64_t launch, int index, std::int64_t begin, std::int64_t end) = 0;
};

class LoadedCode; // runtime/kernels/kernel_table.h

/// One call of an entry. What it points to stays as it is until the call is done.
struct Launch {
  const PenstockEntry *entry = nullptr;
  PenstockCall call{};              // without its stream, which the stream adds
  const LoadedCode *code = nullptr; // of the program, as its device loaded it
  StepObserver *observer = nullptr;
  std::int64_t number = 0; // of `observer`
};

/// Stands for all work that was enqueued on its stream before. Tickets of one stream are done in their order; 0 is always done.
using Ticket = std::uint64_t;

/// Work in order. Used by one thread at a time.
class Stream {
public:
  /// Waits for what was enqueued.
  virtual ~Stream() = default;
  /// Copies between the host's memory and the device's. The host's side stays as it is until the copy is done.
  virtual Status copyIn(void *to, const void *from, std::size_t bytes) = 0;
  virtual Status copyOut(void *to, const void *from, std::size_t bytes) = 0;
  virtual Status launch(const Launch &launch) = 0;
  virtual Ticket ticket() = 0;
  virtual bool done(Ticket ticket) = 0;
  virtual Status wait(Ticket ticket) = 0;
};

/// Where memory comes from.
class Memory {
public:
  virtual ~Memory() = default;
  /// Aligned to 256 bytes, at least one byte of it. `bytes` becomes what was taken. `zeros`: all zeros; else nobody may read it before it
  /// is written. `what` names it in the error.
  virtual Result<void *> allocate(std::size_t &bytes, const char *what, bool zeros) = 0;
  virtual void release(void *memory, std::size_t bytes) = 0;
};

class Device : public Memory {
public:
  virtual std::string_view name() const = 0;
  /// Its memory is the host's, which reads and writes it at any time; what is enqueued is done at once.
  virtual bool isHost() const = 0;
  /// Whether programs of this level are for it. The CPU's need not be for this machine: `Model` says.
  virtual bool runs(std::string_view level) const;
  /// Bytes that could be allocated now; 0 where that is not known.
  virtual std::size_t freeBytes() { return 0; }
  /// The host's memory from which and to which copies are fast, and need not be waited for.
  virtual Memory &staging();
  /// What the program needs of this device, beside its own code; NULL: it computes on the CPU, with the CPU's kernels. `name` is the
  /// program's, for messages. An error where the program is for another device.
  virtual Result<std::shared_ptr<LoadedCode>> load(const PenstockProgram &program, const std::string &name);
  virtual Result<std::unique_ptr<Stream>> openStream() = 0;
  /// The rows that memory is laid out for where a batch has so many: a multiple of 16, no smaller, and growing with them. Calls of equal
  /// capacities find everything at equal addresses.
  virtual std::int64_t capacity(std::int64_t rows) const = 0;
};

/// The CPU.
Device &hostDevice();
/// What programs for the CPU run on: the CPU, or, where PENSTOCK_TEST_DEVICE is set, the test device: it computes on the CPU, but no one
/// can read its memory outside of a launch, copies are counted, and what is enqueued is done late. Where PENSTOCK_TEST_DEVICE names a file,
/// a line with the counts is added to it at the end of the process.
Result<Device *> cpuDevice();

/// Some memory of a device or of its staging, which outlive it; or lent: the host's, of an owner who outlives this.
class DeviceMemory {
public:
  DeviceMemory() = default;
  ~DeviceMemory() { release(); }
  DeviceMemory(const DeviceMemory &) = delete;
  DeviceMemory &operator=(const DeviceMemory &) = delete;
  DeviceMemory(DeviceMemory &&other) noexcept : from(other.from), memory(other.memory), bytes(other.bytes) {
    other.memory = nullptr, other.bytes = 0;
  }
  DeviceMemory &operator=(DeviceMemory &&other) noexcept {
    if (this != &other) {
      release();
      from = other.from, memory = other.memory, bytes = other.bytes;
      other.memory = nullptr, other.bytes = 0;
    }
    return *this;
  }

  static Result<DeviceMemory> allocate(Memory &from, std::size_t bytes, const char *what) { return take(from, bytes, what, false); }
  static DeviceMemory lent(void *memory, std::size_t bytes) {
    DeviceMemory made;
    made.memory = memory;
    made.bytes = bytes;
    return made;
  }
  static Result<DeviceMemory> zeros(Memory &from, std::size_t bytes, const char *what) { return take(from, bytes, what, true); }

  void *data() const { return memory; }
  char *chars() const { return static_cast<char *>(memory); }
  float *floats() const { return static_cast<float *>(memory); }
  std::size_t size() const { return bytes; }

private:
  static Result<DeviceMemory> take(Memory &from, std::size_t bytes, const char *what, bool zeros) {
    DeviceMemory taken;
    PENSTOCK_ASSIGN(taken.memory, from.allocate(bytes, what, zeros));
    taken.from = &from;
    taken.bytes = bytes;
    return taken;
  }
  void release() {
    if (memory != nullptr && from != nullptr) {
      from->release(memory, bytes);
    }
    memory = nullptr, bytes = 0;
  }

  Memory *from = nullptr;
  void *memory = nullptr;
  std::size_t bytes = 0;
};

/// Runs a launch on the calling thread and the pool of its call.
void runLaunch(const Launch &launch);

} // namespace penstock
