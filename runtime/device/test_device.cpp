#include "runtime/device/test_device.h"

#include <fmt/format.h>

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <mutex>
#include <utility>

namespace penstock {

namespace {

constexpr std::size_t regionBytes = std::size_t{1} << 36; // of addresses; memory is taken as it is touched
constexpr std::size_t page = 4096;
constexpr std::int64_t bucket = 112; // of rows: larger than what the CPU takes

class Made final : public TestDevice {
public:
  Made(char *region, std::string report, int late) : region(region), report(std::move(report)), late(late) {}
  ~Made() override {
    if (!report.empty()) {
      std::ofstream(report, std::ios::app) << fmt::format(
          "{{\"launches\": {}, \"copies_in\": {}, \"copies_out\": {}, \"bytes_in\": {}, \"bytes_out\": {}, \"most_waiting\": {}}}\n",
          counted.launches, counted.copiesIn, counted.copiesOut, counted.bytesIn, counted.bytesOut, counted.mostWaiting);
    }
    ::munmap(region, regionBytes);
  }

  std::string_view name() const override { return "test"; }
  bool isHost() const override { return false; }
  DeviceCounts counts() const override {
    const std::lock_guard lock(mutex);
    return counted;
  }

  Result<void *> allocate(std::size_t &bytes, const char *what, bool) override {
    const std::lock_guard lock(mutex);
    bytes = (std::max<std::size_t>(bytes, 1) + page - 1) / page * page;
    const auto room = std::find_if(holes.begin(), holes.end(), [&](const auto &hole) { return hole.second >= bytes; });
    if (room != holes.end()) {
      const auto [at, size] = *room;
      holes.erase(room);
      if (size > bytes) {
        holes.emplace(at + bytes, size - bytes);
      }
      return static_cast<void *>(region + at);
    }
    if (bytes > regionBytes - end) {
      return environmentError(fmt::format("not enough memory of the test device for {}: {} MiB wanted", what, bytes >> 20));
    }
    const std::size_t at = std::exchange(end, end + bytes);
    return static_cast<void *>(region + at);
  }

  void release(void *memory, std::size_t bytes) override {
    const std::lock_guard lock(mutex);
    ::madvise(memory, bytes, MADV_DONTNEED); // zeros, when it is touched again
    holes.emplace(static_cast<std::size_t>(static_cast<char *>(memory) - region), bytes);
  }

  Result<std::unique_ptr<Stream>> openStream() override;
  std::int64_t capacity(std::int64_t rows) const override { return (rows / bucket + 2) * bucket; }

  /// Runs `work` with the memory open, alone.
  template <typename Work> Status use(const Work &work) {
    const std::lock_guard lock(mutex);
    if (::mprotect(region, end, PROT_READ | PROT_WRITE) != 0) {
      return environmentError(std::string("the test device cannot open its memory: ") + std::strerror(errno));
    }
    work(counted);
    ::mprotect(region, end, PROT_NONE);
    return {};
  }
  void note(std::int64_t waiting) {
    const std::lock_guard lock(mutex);
    counted.mostWaiting = std::max(counted.mostWaiting, waiting);
  }
  int lateness() const { return late; }

private:
  char *const region;
  const std::string report;
  const int late;
  mutable std::mutex mutex;
  std::map<std::size_t, std::size_t> holes; // place and bytes of what was released
  std::size_t end = page;                   // of what was ever given
  DeviceCounts counted;
};

class LateStream final : public Stream {
public:
  explicit LateStream(Made &device) : device(device) {}
  ~LateStream() override { (void)wait(enqueued); }

  Status copyIn(void *to, const void *from, std::size_t bytes) override { return enqueue({to, from, bytes, true, nullptr}); }
  Status copyOut(void *to, const void *from, std::size_t bytes) override { return enqueue({to, from, bytes, false, nullptr}); }
  Status launch(const Launch &launch) override {
    ++launches;
    PENSTOCK_TRY(enqueue({nullptr, nullptr, 0, false, &launch}));
    device.note(launches);
    while (launches > device.lateness()) {
      PENSTOCK_TRY(runNext());
    }
    return {};
  }
  Ticket ticket() override { return enqueued; }
  bool done(Ticket ticket) override {
    if (ticket > finished && !runNext().ok()) {
      return false; // `wait` tells
    }
    return ticket <= finished;
  }
  Status wait(Ticket ticket) override {
    while (finished < ticket) {
      PENSTOCK_TRY(runNext());
    }
    return {};
  }

private:
  struct Work {
    void *to;
    const void *from;
    std::size_t bytes;
    bool in;
    const Launch *launch;
  };
  Status enqueue(const Work &work) {
    waiting.push_back(work);
    ++enqueued;
    return {};
  }
  Status runNext() {
    const Work work = waiting.front();
    PENSTOCK_TRY(device.use([&](DeviceCounts &counts) {
      if (work.launch != nullptr) {
        ++counts.launches;
        runLaunch(*work.launch);
        return;
      }
      std::memcpy(work.to, work.from, work.bytes);
      ++(work.in ? counts.copiesIn : counts.copiesOut);
      (work.in ? counts.bytesIn : counts.bytesOut) += static_cast<std::int64_t>(work.bytes);
    }));
    waiting.pop_front();
    launches -= work.launch != nullptr ? 1 : 0;
    ++finished;
    return {};
  }

  Made &device;
  std::deque<Work> waiting;
  std::int64_t launches = 0; // that wait
  Ticket enqueued = 0, finished = 0;
};

Result<std::unique_ptr<Stream>> Made::openStream() { return std::unique_ptr<Stream>(std::make_unique<LateStream>(*this)); }

} // namespace

Result<std::unique_ptr<TestDevice>> TestDevice::make(std::string report, int late) {
  void *const region = ::mmap(nullptr, regionBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (region == MAP_FAILED) {
    return environmentError(std::string("the test device gets no addresses: ") + std::strerror(errno));
  }
  return std::unique_ptr<TestDevice>(std::make_unique<Made>(static_cast<char *>(region), std::move(report), late));
}

Result<Device *> cpuDevice() {
  const char *const report = std::getenv("PENSTOCK_TEST_DEVICE");
  if (report == nullptr || *report == '\0') {
    return &hostDevice();
  }
  static const Result<std::unique_ptr<TestDevice>> device = TestDevice::make(std::strchr(report, '/') != nullptr ? report : "");
  PENSTOCK_TRY(device.status());
  return static_cast<Device *>(device->get());
}

} // namespace penstock
