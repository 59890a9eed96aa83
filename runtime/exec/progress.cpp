#include "runtime/exec/progress.h"

#include "runtime/base/clock.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace penstock {

static constexpr std::int64_t second = 1'000'000'000;

std::int64_t residentMemory() {
  long long pages = 0, resident = 0;
  if (std::FILE *file = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(file, "%lld %lld", &pages, &resident) != 2) {
      resident = 0;
    }
    std::fclose(file);
  }
  return resident * ::sysconf(_SC_PAGESIZE);
}

static std::string amount(double value) {
  if (value >= 1e6) {
    return fmt::format("{:.2f} M", value / 1e6);
  }
  return value >= 1e4 ? fmt::format("{:.0f} k", value / 1e3) : fmt::format("{:.0f}", value);
}

static std::string memory(std::int64_t bytes) {
  const double mebibytes = static_cast<double>(bytes) / (1 << 20);
  return mebibytes < 1024 ? fmt::format("{:.0f} MiB", mebibytes) : fmt::format("{:.2f} GiB", mebibytes / 1024);
}

Progress::Progress(Mode mode, std::int64_t totalSteps, std::int64_t stepsPerEpoch, std::int64_t firstStep)
    : line(mode), total(totalSteps), perEpoch(std::max<std::int64_t>(stepsPerEpoch, 1)), first(firstStep), start(monotonicNow()),
      last(start) {}

void Progress::show(std::int64_t step, std::int64_t now) {
  const double interval = std::max(1e-9, static_cast<double>(now - last) / second);
  const double current = static_cast<double>(pending) / interval;
  speed = speed == 0 ? current : speed + 0.3 * (current - speed);
  pending = 0;
  last = now;

  const double elapsed = static_cast<double>(now - start) / second;
  const std::int64_t done = step - first;
  const double left = done > 0 ? elapsed / static_cast<double>(done) * static_cast<double>(total - step) : 0;
  const double epochs = static_cast<double>(total) / static_cast<double>(perEpoch);
  const double epoch = static_cast<double>(step) / static_cast<double>(perEpoch);
  const int width = 20;
  const int filled = total > 0 ? static_cast<int>(step * width / total) : width;
  std::string bar;
  for (int i = 0; i < width; ++i) {
    bar += i < filled ? "\u2588" : "\u2591";
  }
  std::vector<StatusLine::Part> parts = {
      {fmt::format("epoch {:.2f}/{:.4g}", epoch, epochs), 0}, {bar, 6, true}, {fmt::format("step {}/{}", step, total), 3}};
  for (const Smoothed &mean : smoothed) {
    parts.push_back({fmt::format("{}{}loss {:.4f}", mean.name, mean.name.empty() ? "" : " ", mean.loss), 1});
  }
  parts.push_back({amount(speed) + " tokens/s", 4});
  parts.push_back({durationText(left) + " left", 2});
  parts.push_back({memory(residentMemory()), 5});
  line.show(parts, now);
}

} // namespace penstock
