#include "runtime/exec/progress.h"

#include "runtime/base/clock.h"
#include "runtime/base/printable.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>

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

// What only informs: a reader that is gone, a full disk or a closed descriptor is the end of the line and of nothing else.
void Progress::say(const std::string &text) {
  std::fflush(stderr); // what others have said before
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t put = ::write(STDERR_FILENO, text.data() + done, text.size() - done);
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put <= 0) {
      if (errno != EAGAIN) { // there may be room again for the next line
        mode = Mode::quiet;
        due = INT64_MAX;
      }
      return;
    }
    done += static_cast<std::size_t>(put);
  }
}

static std::string amount(double value) {
  if (value >= 1e6) {
    return fmt::format("{:.2f} M", value / 1e6);
  }
  return value >= 1e4 ? fmt::format("{:.0f} k", value / 1e3) : fmt::format("{:.0f}", value);
}

static std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole >= 3600) {
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  }
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

static std::string memory(std::int64_t bytes) {
  const double mebibytes = static_cast<double>(bytes) / (1 << 20);
  return mebibytes < 1024 ? fmt::format("{:.0f} MiB", mebibytes) : fmt::format("{:.2f} GiB", mebibytes / 1024);
}

Progress::Mode Progress::detect(bool quiet) {
  if (quiet) {
    return Mode::quiet;
  }
  const char *terminal = std::getenv("TERM");
  const bool dumb = terminal != nullptr && std::string_view(terminal) == "dumb";
  return ::isatty(STDERR_FILENO) != 0 && !dumb ? Mode::terminal : Mode::lines;
}

Progress::Progress(Mode mode, std::int64_t totalSteps, std::int64_t stepsPerEpoch, std::int64_t firstStep)
    : mode(mode), total(totalSteps), perEpoch(std::max<std::int64_t>(stepsPerEpoch, 1)), first(firstStep), start(monotonicNow()),
      last(start) {
  const char *noColor = std::getenv("NO_COLOR");
  color = mode == Mode::terminal && (noColor == nullptr || *noColor == '\0');
  due = mode == Mode::quiet ? INT64_MAX : start + (mode == Mode::terminal ? second / 5 : 2 * second);
}

Progress::~Progress() { finish(); }

void Progress::show(std::int64_t step, std::int64_t now) {
  const double interval = std::max(1e-9, static_cast<double>(now - last) / second);
  const double current = static_cast<double>(pending) / interval;
  speed = speed == 0 ? current : speed + 0.3 * (current - speed);
  pending = 0;
  last = now;
  due = now + (mode == Mode::terminal ? second / 8 : 3 * second);

  const double elapsed = static_cast<double>(now - start) / second;
  const std::int64_t done = step - first;
  const double left = done > 0 ? elapsed / static_cast<double>(done) * static_cast<double>(total - step) : 0;
  const double epochs = static_cast<double>(total) / static_cast<double>(perEpoch);
  const double epoch = static_cast<double>(step) / static_cast<double>(perEpoch);
  std::string numbers;
  for (const Smoothed &mean : smoothed) {
    numbers += fmt::format("{}{}loss {:.4f}  ", mean.name, mean.name.empty() ? "" : " ", mean.loss);
  }
  numbers += fmt::format("{} tokens/s  {} left  {}", amount(speed), duration(left), memory(residentMemory()));
  if (mode == Mode::lines) {
    say(fmt::format("epoch {:.2f}/{:.4g}  step {}/{}  {}\n", epoch, epochs, step, total, numbers));
    return;
  }
  const int width = 20;
  const int filled = total > 0 ? static_cast<int>(step * width / total) : width;
  std::string bar;
  for (int i = 0; i < width; ++i) {
    bar += i < filled ? "\u2588" : "\u2591";
  }
  std::string line = fmt::format("epoch {:.2f}/{:.4g} ", epoch, epochs);
  const std::string after = fmt::format(" step {}/{}  {}", step, total, numbers);
  winsize window{};
  const int columns = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 ? window.ws_col : 80;
  const int plain = static_cast<int>(line.size() + after.size());
  if (plain + width <= columns) {
    line += color ? "\x1b[36m" + bar + "\x1b[0m" : bar;
    line += after;
  } else { // a wrapped line could not be taken back
    line = (line + after).substr(0, static_cast<std::size_t>(columns));
  }
  say("\r" + line + "\x1b[K");
  shown = mode != Mode::quiet;
}

void Progress::note(const std::string &text) {
  if (mode == Mode::quiet) {
    return;
  }
  say((shown ? "\r\x1b[K" : "") + printableLines(text) + "\n");
  shown = false;
}

void Progress::finish() {
  if (shown) {
    say("\n");
    shown = false;
  }
}

} // namespace penstock
