#include "tests/cuda/driver/settings.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string_view>

namespace penstock::fake {

namespace {

cuda::CUresult sticky = cuda::CUDA_SUCCESS;
std::map<std::string, std::int64_t> calls;

const char *variable(const char *name) { return std::getenv((std::string("PENSTOCK_FAKE_CUDA_") + name).c_str()); }
template <class T> void number(const char *name, T &value) {
  const char *const text = variable(name);
  if (text != nullptr && *text != '\0') {
    value = static_cast<T>(std::atoll(text));
  }
}

std::vector<Failure> failuresOf(const char *text) {
  std::vector<Failure> all;
  while (text != nullptr && *text != '\0') {
    char call[64];
    long long number;
    int error, used;
    if (std::sscanf(text, " %63[^: ] : %lld : %d %n", call, &number, &error, &used) < 3) {
      std::fprintf(stderr, "fake CUDA: PENSTOCK_FAKE_CUDA_FAIL says `%s`, and not `call:number:error, ...`\n", text);
      std::abort();
    }
    all.push_back({call, number, error});
    text += used;
    text += *text == ',' ? 1 : 0;
  }
  return all;
}

constexpr std::string_view known[] = {"SCHEDULE", "CARDS", "MULTIPROCESSORS", "ARCHITECTURE", "MEMORY", "QUEUE", "WHOLE", "OPEN",
                                      "FAIL",     "SKIP",  "REPORT"};

Settings read() {
  for (char **at = environ; *at != nullptr; ++at) {
    constexpr std::string_view prefix = "PENSTOCK_FAKE_CUDA_";
    const std::string_view name = std::string_view(*at).substr(0, std::string_view(*at).find('='));
    if (name.starts_with(prefix) && std::find(std::begin(known), std::end(known), name.substr(prefix.size())) == std::end(known)) {
      std::fprintf(stderr, "fake CUDA: `%.*s` means nothing (tests/cuda/driver/settings.h)\n", static_cast<int>(name.size()), name.data());
      std::abort();
    }
  }
  Settings made;
  number("SCHEDULE", made.schedule);
  number("CARDS", made.cards);
  number("MULTIPROCESSORS", made.multiprocessors);
  number("ARCHITECTURE", made.architecture);
  std::int64_t mebibytes = made.memory >> 20;
  number("MEMORY", mebibytes);
  made.memory = mebibytes << 20;
  number("QUEUE", made.queue);
  number("WHOLE", made.whole);
  number("OPEN", made.open);
  made.failures = failuresOf(variable("FAIL"));
  const char *const skip = variable("SKIP"), *const colon = skip != nullptr ? std::strchr(skip, ':') : nullptr;
  if (colon != nullptr) {
    made.skippedIn.assign(skip, colon);
    made.skipped = std::atoi(colon + 1);
  }
  const char *const report = variable("REPORT");
  made.report = report != nullptr ? report : "";
  return made;
}

struct Counted : Counts {
  ~Counted() {
    const std::string &file = settings().report;
    std::FILE *const to = file.empty() ? nullptr : std::fopen(file.c_str(), "a");
    if (to == nullptr) {
      return;
    }
    std::string text = "{\"launches\": {";
    const auto add = [&](const std::string &name, std::int64_t value, const char *before) {
      text += before + ("\"" + name + "\": ") + std::to_string(value);
    };
    const char *between = "";
    for (const auto &[name, count] : launches) {
      add(name, count, between);
      between = ", ";
    }
    text += "}";
    add("copies_in", copiesIn, ", ");
    add("copies_out", copiesOut, ", ");
    add("bytes_in", bytesIn, ", ");
    add("bytes_out", bytesOut, ", ");
    add("sets", sets, ", ");
    add("waits", waits, ", ");
    add("queries", queries, ", ");
    add("allocations", allocations, ", ");
    add("frees", frees, ", ");
    add("host_allocations", hostAllocations, ", ");
    add("captures", captures, ", ");
    add("graph_launches", graphLaunches, ", ");
    add("modules", modules, ", ");
    add("most_memory", mostMemory, ", ");
    add("work", work, ", ");
    std::fprintf(to, "%s}\n", text.c_str());
    std::fclose(to);
  }
};

} // namespace

namespace {
Settings &changeable() {
  static Settings *const made = new Settings(read());
  return *made;
}
} // namespace
const Settings &settings() { return changeable(); }

Counts &counts() {
  (void)settings();
  static Counted made;
  return made;
}

void stick(cuda::CUresult error) { sticky = sticky == cuda::CUDA_SUCCESS ? error : sticky; }
cuda::CUresult stuck() { return sticky; }

cuda::CUresult called(const char *name) {
  if (settings().failures.empty() || sticky != cuda::CUDA_SUCCESS) {
    return sticky;
  }
  const std::int64_t number = ++calls[name];
  for (const Failure &failure : settings().failures) {
    if (failure.call == name && failure.number == number) {
      const auto error = static_cast<cuda::CUresult>(failure.error);
      if (failure.error >= 700 && (failure.error < 900 || failure.error > 910)) {
        stick(error);
      }
      return error;
    }
  }
  return cuda::CUDA_SUCCESS;
}

} // namespace penstock::fake

/// Tests of kernels choose while they run, between two waits: the schedule, and whether functions for whole launches are taken.
extern "C" __attribute__((visibility("default"))) void penstock_fake_cuda_choose(int schedule, int whole) {
  penstock::fake::changeable().schedule = schedule;
  penstock::fake::changeable().whole = whole != 0;
}
