// How many cores this process may use.
#pragma once

#include <optional>
#include <string>

namespace penstock {

/// At least 1: the cores that the scheduler may give to this process (affinity), or what the quota of its control groups pays for,
/// rounded up, where that is less. Read anew at every call.
int usableCores();

/// The least quota of the control groups that `membership`, the text of /proc/self/cgroup, names and of those above them, in cores,
/// rounded up; versions 1 and 2. Nothing where no group has one. `root` is where the groups are mounted, /sys/fs/cgroup.
std::optional<int> quotaOf(const std::string &membership, const std::string &root);

} // namespace penstock
