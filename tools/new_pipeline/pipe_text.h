// The text of a pipeline for a plan.
#pragma once

#include "tools/new_pipeline/plan.h"

#include <map>
#include <string>

namespace penstock {

/// Where the records lie, as the file says it.
struct DataPlace {
  std::string path;                         // relative to the .pipe file: of the one file, or the folder
  std::map<std::string, std::string> files; // in the folder, by split; none where the file is split
  std::string command;                      // that writes it, for the first line

  bool has(const std::string &split) const { return files.empty() || files.count(split) > 0; }
};

/// The whole file, not laid out. It checks, and trains with ordinary settings.
std::string pipeText(const Plan &plan, const RawForm &form, const RawProfile &profile, const DataPlace &place, const std::string &name);

} // namespace penstock
