#include "runtime/base/clock.h"
#include "runtime/base/level_names.h"
#include "runtime/base/program_rows.h"
#include "runtime/device/device.h"

#include <immintrin.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace penstock {

namespace {

// Below this, huge pages would only waste memory.
constexpr std::size_t hugePage = std::size_t{2} << 20;

// Code of the entries outside the pool's bodies runs on the calling thread: it must treat denormals as the pool does.
class FlushDenormals {
public:
  FlushDenormals() : before(_mm_getcsr()) { _mm_setcsr(before | 0x8040); }
  ~FlushDenormals() { _mm_setcsr(before); }

private:
  unsigned before;
};

class HostStream final : public Stream {
public:
  Status copyIn(void *to, const void *from, std::size_t bytes) override {
    std::memcpy(to, from, bytes);
    return {};
  }
  Status copyOut(void *to, const void *from, std::size_t bytes) override { return copyIn(to, from, bytes); }
  Status launch(const Launch &launch) override {
    runLaunch(launch);
    return {};
  }
  Ticket ticket() override { return 0; }
  bool done(Ticket) override { return true; }
  Status wait(Ticket) override { return {}; }
};

class HostDevice final : public Device {
public:
  std::string_view name() const override { return "cpu"; }
  bool isHost() const override { return true; }

  Result<void *> allocate(std::size_t &bytes, const char *what, bool zeros) override {
    const std::size_t unit = bytes >= hugePage ? hugePage : 4096;
    if (bytes > (std::size_t{1} << 47)) {
      return environmentError(std::string(what) + " would need " + std::to_string(bytes >> 20) + " MiB, more than any machine has");
    }
    bytes = (bytes + unit - 1) / unit * unit + (bytes == 0 ? unit : 0);
    // The system's pages are zeros either way. A test fills those that are not asked to be, which it knows by the flag.
    const int reserve = zeros ? 0 : MAP_NORESERVE;
    void *const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | reserve, -1, 0);
    if (memory == MAP_FAILED) {
      return environmentError("not enough memory for " + std::string(what) + ": " + std::to_string(bytes >> 20) + " MiB wanted (" +
                              std::strerror(errno) + ")");
    }
    if (bytes >= hugePage) {
      ::madvise(memory, bytes, MADV_HUGEPAGE);
    }
    return memory;
  }
  void release(void *memory, std::size_t bytes) override { ::munmap(memory, bytes); }

  Result<std::unique_ptr<Stream>> openStream() override { return std::unique_ptr<Stream>(std::make_unique<HostStream>()); }
  std::int64_t capacity(std::int64_t rows) const override { return (rows + 15) / 16 * 16; }
};

} // namespace

bool Device::runs(std::string_view level) const { return std::find(levelNames.begin(), levelNames.end(), level) != levelNames.end(); }

Memory &Device::staging() { return hostDevice(); }

Result<std::shared_ptr<LoadedCode>> Device::load(const PenstockProgram &, const std::string &) { return std::shared_ptr<LoadedCode>(); }

Device &hostDevice() {
  static HostDevice device;
  return device;
}

void runLaunch(const Launch &launch) {
  const FlushDenormals flush;
  const PenstockEntry &entry = *launch.entry;
  if (launch.observer == nullptr) {
    penstock_run_entry(&entry, &launch.call);
    return;
  }
  std::int64_t begin = monotonicNow();
  int i = 0;
  for (const PenstockStep &step : stepsOf(entry)) {
    step.run(&launch.call, step.numbers);
    const std::int64_t end = monotonicNow();
    launch.observer->ran(launch.number, i++, begin, end);
    begin = monotonicNow();
  }
}

} // namespace penstock
