#include "runtime/exec/status_line.h"

#include "runtime/base/clock.h"
#include "runtime/base/printable.h"
#include "runtime/base/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace penstock {
namespace {

constexpr std::int64_t second = 1'000'000'000;

std::string_view variable(const char *name) {
  const char *const value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

/// Whether the terminal wraps what stands there anew when it becomes narrower. Others cut it off.
bool wrapsAnew() {
  const std::string_view terminal = variable("TERM");
  const bool cuts = terminal == "linux" || terminal.starts_with("rxvt") || terminal.starts_with("st-") ||
                    (terminal.starts_with("screen") && variable("TMUX").empty()) || !variable("XTERM_VERSION").empty();
  return !cuts;
}

/// Columns of a text without control characters: each code point one.
int columnsOf(std::string_view text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// The first `columns` of a text.
std::string_view cut(std::string_view text, int columns) {
  std::size_t end = 0;
  for (int seen = 0; end < text.size(); ++end) {
    if ((static_cast<unsigned char>(text[end]) & 0xC0) != 0x80 && ++seen > columns) {
      break;
    }
  }
  return text.substr(0, end);
}

} // namespace

std::string durationText(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole >= 3600) {
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  }
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

StatusLine::Mode StatusLine::detect(bool quiet) {
  if (quiet) {
    return Mode::quiet;
  }
  return terminalColumns(STDERR_FILENO) > 0 && variable("TERM") != "dumb" ? Mode::terminal : Mode::lines;
}

StatusLine::StatusLine(Mode mode) : mode(mode) {
  color = mode == Mode::terminal && variable("NO_COLOR").empty();
  next = mode == Mode::quiet ? INT64_MAX : monotonicNow() + (mode == Mode::terminal ? second / 5 : 2 * second);
}

StatusLine::~StatusLine() { finish(); }

// What only informs: a reader that is gone, a full disk or a closed descriptor is the end of the line and of nothing else.
void StatusLine::say(const std::string &text) {
  std::fflush(stderr); // what others have said before
  for (std::size_t done = 0; done < text.size() && !silent;) {
    const ssize_t put = ::write(STDERR_FILENO, text.data() + done, text.size() - done);
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put <= 0) {
      if (errno != EAGAIN) { // there may be room again for the next line
        silent = true;
        next = INT64_MAX;
      }
      return;
    }
    done += static_cast<std::size_t>(put);
  }
}

std::string StatusLine::takenBack() const {
  if (shown == 0) {
    return "";
  }
  const int columns = std::max(terminalColumns(STDERR_FILENO), 1), rows = wrapsAnew() ? (shown + columns - 1) / columns : 1;
  return rows > 1 ? fmt::format("\r\x1b[{}A\x1b[J", rows - 1) : "\r\x1b[K";
}

void StatusLine::show(const std::vector<Part> &parts, std::int64_t now) {
  if (mode == Mode::quiet || silent) {
    return;
  }
  next = now + (mode == Mode::terminal ? second / 8 : 3 * second);
  if (mode == Mode::lines) {
    std::string line;
    for (const Part &part : parts) {
      line += part.drawing ? "" : (line.empty() ? "" : "  ") + part.text;
    }
    say(line + "\n");
    return;
  }
  // One column stays free: behind a full row some terminals begin another.
  const int columns = std::max(terminalColumns(STDERR_FILENO) - 1, 1);
  std::vector<bool> kept(parts.size(), true);
  const auto width = [&] {
    int all = -2;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      all += kept[i] ? columnsOf(parts[i].text) + 2 : 0;
    }
    return all;
  };
  while (width() > columns) {
    std::size_t last = parts.size();
    for (std::size_t i = 0; i < parts.size(); ++i) {
      last = kept[i] && (last == parts.size() || parts[i].rank >= parts[last].rank) ? i : last;
    }
    if (std::count(kept.begin(), kept.end(), true) == 1) {
      break;
    }
    kept[last] = false;
  }
  std::string line;
  int used = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (kept[i]) {
      const std::string_view text = cut(parts[i].text, columns);
      used += columnsOf(text) + (line.empty() ? 0 : 2);
      line += (line.empty() ? "" : "  ");
      line += parts[i].drawing && color ? fmt::format("\x1b[36m{}\x1b[0m", text) : std::string(text);
    }
  }
  say(takenBack() + "\r" + line + "\x1b[K");
  shown = silent ? 0 : used;
}

void StatusLine::showRecords(const std::string &what, std::int64_t done, std::int64_t total) {
  const std::int64_t now = monotonicNow();
  if (what != activity) {
    activity = what;
    activitySince = now;
  }
  if (!due(now)) {
    return;
  }
  std::vector<Part> parts = {{what}};
  if (total > 0) {
    const double seconds = static_cast<double>(now - activitySince) / second;
    parts.push_back({fmt::format("{}/{} records", done, total), 1});
    if (done > 0) {
      parts.push_back({durationText(seconds / static_cast<double>(done) * static_cast<double>(total - done)) + " left", 2});
    }
  } else if (done > 0) {
    parts.push_back({fmt::format("{} records", done), 1});
  }
  show(parts, now);
}

void StatusLine::stay(const std::string &text) {
  say(takenBack() + printableLines(text) + "\n");
  shown = 0;
}

void StatusLine::note(const std::string &text) {
  if (mode != Mode::quiet) {
    stay(text);
  }
}

void StatusLine::warn(const std::string &text) { stay("warning: " + text); }

void StatusLine::clear() {
  if (shown > 0) {
    say(takenBack());
    shown = 0;
  }
}

void StatusLine::finish() {
  if (shown > 0) {
    say("\n");
    shown = 0;
  }
}

} // namespace penstock
