#include "runtime/exec/metrics_log.h"

#include "runtime/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <iterator>

namespace penstock {

static constexpr std::size_t bufferSize = std::size_t{1} << 18, longestLine = 512;
static constexpr std::int64_t flushInterval = 200'000'000;

const double *SplitResult::find(const std::string &metric) const {
  for (const auto &[name, value] : values) {
    if (name == metric) {
      return &value;
    }
  }
  return hasLoss && metric == "loss" ? &loss : nullptr;
}

const Interval *SplitResult::intervalOf(const std::string &name) const {
  for (const Interval &interval : intervals) {
    if (interval.name == name) {
      return &interval;
    }
  }
  return nullptr;
}

std::string SplitResult::shown(const std::string &name, double value) const {
  const Interval *interval = intervalOf(name);
  return interval == nullptr ? fmt::format("{:.4f}", value) : fmt::format("{:.4f} [{:.4f}, {:.4f}]", value, interval->low, interval->high);
}

static std::string quoted(const std::string &text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

static std::string number(double value) { return std::isfinite(value) ? fmt::format("{}", value) : "null"; }

std::string valuesToJson(const std::vector<std::pair<std::string, double>> &values) {
  std::string out = "{";
  for (const auto &[name, value] : values) {
    out += (out.size() > 1 ? ", " : "") + quoted(name) + ": " + number(value);
  }
  return out + "}";
}

// Whether a line tells of something that the resumed state has behind it.
static bool isDone(std::string_view line, std::int64_t steps, std::int64_t evaluated) {
  static constexpr std::string_view start = "{\"step\":";
  std::int64_t step = 0;
  if (!line.starts_with(start) || std::from_chars(line.data() + start.size(), line.data() + line.size(), step).ec != std::errc() ||
      !line.ends_with('}')) {
    return false;
  }
  if (line.find("\"split\":") == line.npos) {
    return step <= steps;
  }
  return step <= evaluated && line.find("\"final\":true") == line.npos;
}

// A file to write, or -1 with errno. What bears its name and is no regular file gives way: opening a FIFO would wait for a reader.
static int openLog(const std::string &path) {
  const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  const int descriptor = ::open(path.c_str(), flags, 0644);
  struct stat info = {};
  if (descriptor < 0 ? errno != ENXIO : ::fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode)) {
    return descriptor;
  }
  if (descriptor >= 0) {
    ::close(descriptor);
  }
  return ::unlink(path.c_str()) == 0 ? ::open(path.c_str(), flags | O_EXCL, 0644) : -1;
}

Result<std::unique_ptr<MetricsLog>> MetricsLog::open(const std::string &path, std::int64_t steps, std::int64_t evaluated) {
  std::unique_ptr<MetricsLog> log(new MetricsLog);
  log->path = path;
  std::size_t keep = 0;
  if (steps > 0 && fileExists(path)) {
    PENSTOCK_ASSIGN(const std::string text, readWholeFile(path, std::size_t{1} << 34));
    for (std::size_t end; (end = text.find('\n', keep)) != std::string::npos; keep = end + 1) {
      if (!isDone(std::string_view(text).substr(keep, end - keep), steps, evaluated)) {
        break;
      }
    }
  }
  log->descriptor = openLog(path);
  if (log->descriptor < 0 || ::ftruncate(log->descriptor, static_cast<off_t>(keep)) != 0 || ::lseek(log->descriptor, 0, SEEK_END) < 0) {
    return systemError("write", path, errno);
  }
  log->held.reserve(bufferSize);
  return log;
}

MetricsLog::~MetricsLog() {
  if (descriptor >= 0) {
    (void)flush();
    ::close(descriptor);
  }
}

Status MetricsLog::step(std::int64_t step, double epoch, std::span<const ObjectiveStep> objectives, double tokensPerSecond,
                        std::int64_t now) {
  const auto out = std::back_inserter(held);
  fmt::format_to(out, "{{\"step\":{},\"epoch\":{:.6g}", step, epoch);
  for (const ObjectiveStep &objective : objectives) {
    const char *const dot = objective.name.empty() ? "" : ".";
    fmt::format_to(out, ",\"{0}{1}loss\":{2},\"{0}{1}learning_rate\":{3}", objective.name, dot, objective.loss, objective.learningRate);
  }
  fmt::format_to(out, ",\"tokens_per_second\":{}}}\n", static_cast<std::int64_t>(tokensPerSecond));
  if (now - lastFlush > flushInterval || held.size() + longestLine > bufferSize) {
    lastFlush = now;
    return flush();
  }
  return {};
}

Status MetricsLog::evaluation(std::int64_t step, double epoch, const SplitResult &result, bool final) {
  held += fmt::format("{{\"step\":{},\"epoch\":{:.6g},\"split\":{},", step, epoch, quoted(result.split));
  if (result.hasLoss) {
    held += "\"loss\":" + number(result.loss) + ",";
  }
  held += "\"metrics\":" + valuesToJson(result.values) + (final ? ",\"final\":true}\n" : "}\n");
  return flush();
}

Status MetricsLog::flush() {
  const bool written = writeAll(descriptor, held.data(), held.size());
  const int error = errno;
  held.clear(); // also so that the destructor does not try again
  return written ? Status{} : systemError("write", path, error);
}

Status MetricsLog::sync() {
  PENSTOCK_TRY(flush());
  if (::fdatasync(descriptor) != 0) {
    return systemError("write", path, errno);
  }
  return {};
}

} // namespace penstock
