// An NVIDIA card as a device: memory, streams, and the code that its driver holds.
#pragma once

#include "runtime/cuda/driver.h"
#include "runtime/cuda/graphs.h"
#include "runtime/cuda/launch.h"
#include "runtime/device/device.h"
#include "runtime/kernels/kernel_table.h"
#include "runtime/kernels/machine_speed.h"

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace penstock::cuda {

/// A kernel that the driver holds.
struct LoadedKernel {
  CUfunction function = nullptr;
  int threads = 0;             // of a block, where the code says it
  std::size_t sharedBytes = 0; //
};

/// The rows that memory is laid out for: a multiple of 16 and of an eighth of the power of two below `rows`.
std::int64_t bucketOf(std::int64_t rows);

/// Cards are opened once a process and stay open until it ends. Used by any thread.
class CudaDevice final : public Device {
public:
  /// The card of this number among those that the driver shows (CUDA_VISIBLE_DEVICES). An error says why there is no driver or no such
  /// card, or that it is older than sm_80.
  static Result<CudaDevice *> open(int ordinal);

  std::string_view name() const override { return named; }
  bool isHost() const override { return false; }
  bool runs(std::string_view level) const override { return level == "cuda"; }
  Result<void *> allocate(std::size_t &bytes, const char *what, bool zeros) override;
  void release(void *memory, std::size_t bytes) override;
  std::size_t freeBytes() override;
  /// Memory of the host that is pinned.
  Memory &staging() override { return pinned; }
  Result<std::unique_ptr<Stream>> openStream() override;
  std::int64_t capacity(std::int64_t rows) const override { return bucketOf(rows); }
  /// Of a program whose level is "cuda".
  Result<std::shared_ptr<LoadedCode>> load(const PenstockProgram &program, const std::string &name) override;

  const Driver &driver() const { return calls; }
  /// Major and minor, 80 of sm_80.
  int architecture() const { return compute; }
  /// By its clocks.
  MachineSpeed speed() const;
  /// The calling thread works with this card from now on.
  void use() const { (void)calls.cuCtxSetCurrent(context); }
  /// An error says what was being done, "while a step was enqueued" or the like, and what to try.
  Status judge(CUresult result, std::string_view doing) const;

  /// The kernel of the library, loaded when it is asked for first, with so much dynamic shared memory.
  Result<LoadedKernel> kernel(const LibraryKernel &kernel, std::size_t sharedBytes);
  /// Lets blocks of the kernel have so much dynamic shared memory.
  Status allowShared(CUfunction function, std::size_t bytes) const;

private:
  class Pinned final : public Memory {
  public:
    explicit Pinned(CudaDevice &device) : device(device) {}
    Result<void *> allocate(std::size_t &bytes, const char *what, bool zeros) override;
    void release(void *memory, std::size_t bytes) override;

  private:
    CudaDevice &device;
  };

  CudaDevice(const Driver &driver, int ordinal);
  Status start();
  Result<CUfunction> find(const LibraryKernel &kernel);

  const Driver &calls;
  const int ordinal;
  const std::string named;
  CUdevice card = 0;
  CUcontext context = nullptr;
  CUstream clearing = nullptr; // fills memory with zeros
  int compute = 0;
  Pinned pinned{*this};
  std::vector<std::atomic<CUfunction>> functions; // of each kernel of the library
  std::vector<std::atomic<std::size_t>> shared;   // the most that each was allowed
  std::mutex loading;
  std::vector<CUmodule> modules; // of the library; NULL before it is loaded
};

/// The code of one program on one card.
class CudaCode final : public LoadedCode {
public:
  CudaCode(CudaDevice &device) : device(device) {}
  ~CudaCode() override;
  Status load(const PenstockProgram &program, const std::string &name);
  Result<void *> symbol(std::string_view name) override;
  Result<KernelHandle> handle(const PenstockDispatch &dispatch) override;
  std::string kernels(const PenstockProgram &program) const override;
  Result<MachineSpeed> speed(ThreadPool &pool) const override;
  const std::vector<LoadedKernel> &functions() const { return loaded; }
  const PenstockProgram &program() const { return *of; }

private:
  CudaDevice &device;
  const PenstockProgram *of = nullptr;
  std::vector<CUmodule> modules;
  std::vector<LoadedKernel> loaded; // in the order of the program's table
};

/// What goes wrong is kept, and told by whatever is asked of the stream next; nothing is enqueued after it.
class CudaStream final : public Stream {
public:
  CudaStream(CudaDevice &device, CUstream stream) : device(device), stream(stream), graphs(device.driver()) {}
  ~CudaStream() override;
  Status copyIn(void *to, const void *from, std::size_t bytes) override;
  Status copyOut(void *to, const void *from, std::size_t bytes) override;
  Status launch(const Launch &launch) override;
  Ticket ticket() override;
  bool done(Ticket ticket) override;
  Status wait(Ticket ticket) override;

  /// What a call has as its `stream`.
  void *context() { return this; }
  static CudaStream &of(const PenstockCall *call) { return *static_cast<CudaStream *>(call->stream); }

  void enqueue(const LibraryKernel &kernel, const Grid &grid, int threads, std::size_t sharedBytes, void *const *arguments);
  /// A kernel of the program whose entry is being launched.
  void enqueue(std::int64_t code, std::int64_t blocks, void *const *arguments);
  /// Of launch.h.
  void packLater(const PackJob &job) { packing.push_back(job); }
  /// Keeps the first one.
  void fail(Status status);

private:
  struct Mark {
    Ticket ticket;
    CUevent event;
  };
  void enqueue(const LoadedKernel &kernel, const char *name, const Grid &grid, void *const *arguments);
  /// Whether work may go on; `result` of a call is judged.
  bool check(CUresult result, std::string_view doing);
  void finish(Ticket ticket);
  void pack();
  void runSteps(const Launch &launch);
  /// The same with an event before each step and behind the last.
  void timeSteps(const Launch &launch);
  void tellTimes(Ticket ticket);
  CUevent timedEvent();
  /// Replays the launch where its like was met twice before, and keeps it when it is met for the second time.
  void replay(const Launch &launch);
  /// NULL where the driver cannot keep it, or something went wrong.
  CUgraphExec capture(const Launch &launch);

  CudaDevice &device;
  CUstream stream;
  const CudaCode *code = nullptr; // of the launch that is being enqueued
  Status failure;
  std::deque<Mark> marks; // that are not known to be done
  std::vector<CUevent> spare;
  /// A launch whose steps are timed.
  struct Timed {
    Ticket ticket; // that it is done with
    StepObserver *observer;
    std::int64_t number;
    std::vector<CUevent> events;
  };
  std::deque<Timed> timed;
  std::vector<CUevent> spareTimed;
  CUevent clock = nullptr; // where the time of all launches begins
  Graphs graphs;
  std::vector<std::uint64_t> key; // of the launch
  Ticket issued = 0, finished = 0;
  std::vector<PackJob> packing; // before whatever is enqueued next
  bool dirty = false;           // something was enqueued behind the last mark
};

} // namespace penstock::cuda
