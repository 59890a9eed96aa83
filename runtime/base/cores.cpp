#include "runtime/base/cores.h"

#include "runtime/base/file.h"

#include <algorithm>
#include <cmath>
#include <sched.h>
#include <sstream>
#include <thread>

namespace penstock {
namespace {

/// A small file of the system; "" where it cannot be read.
std::string textOf(const std::string &path) {
  Result<std::string> text = readWholeFile(path, std::size_t{1} << 20);
  return text.ok() ? std::move(text).value() : std::string();
}

/// Cores that `quota` microseconds in every `period` are; nothing for no quota ("max" and -1 are no numbers above 0).
std::optional<int> coresOf(const std::string &quota, const std::string &period) {
  std::istringstream first(quota), second(period);
  double allowed = 0, of = 0;
  if (!(first >> allowed) || !(second >> of) || !(allowed > 0) || !(of > 0)) {
    return std::nullopt;
  }
  return static_cast<int>(std::min(std::max(std::ceil(allowed / of), 1.0), 1e6));
}

/// The quota of one group.
std::optional<int> quotaAt(const std::string &group, bool second) {
  if (!second) {
    return coresOf(textOf(group + "/cpu.cfs_quota_us"), textOf(group + "/cpu.cfs_period_us"));
  }
  std::istringstream words(textOf(group + "/cpu.max"));
  std::string quota, period;
  words >> quota >> period;
  return coresOf(quota, period);
}

} // namespace

std::optional<int> quotaOf(const std::string &membership, const std::string &root) {
  std::optional<int> least;
  const auto visit = [&](const std::string &mount, std::string path, bool second) {
    // A container often sees its own group as the root: groups that are not there are passed by.
    for (;; path.erase(path.rfind('/'))) {
      if (const std::optional<int> quota = quotaAt(mount + path, second)) {
        least = std::min(least.value_or(*quota), *quota);
      }
      if (path.empty()) {
        return;
      }
    }
  };
  std::istringstream lines(membership);
  for (std::string line; std::getline(lines, line);) { // number:controllers:path
    const std::size_t first = line.find(':'), second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) {
      continue;
    }
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    if (path.empty() || path.front() != '/' || path == "/") {
      path.clear();
    }
    if (controllers.empty()) {
      visit(root, path, true);
      visit(root + "/unified", path, true);
    } else if (("," + controllers + ",").find(",cpu,") != std::string::npos) {
      visit(root + "/" + controllers, path, false);
      if (controllers != "cpu") {
        visit(root + "/cpu", path, false);
      }
    }
  }
  return least;
}

int usableCores() {
  cpu_set_t allowed;
  int cores =
      ::sched_getaffinity(0, sizeof(allowed), &allowed) == 0 ? CPU_COUNT(&allowed) : static_cast<int>(std::thread::hardware_concurrency());
  if (const std::optional<int> quota = quotaOf(textOf("/proc/self/cgroup"), "/sys/fs/cgroup")) {
    cores = std::min(cores, *quota);
  }
  return std::max(cores, 1);
}

} // namespace penstock
