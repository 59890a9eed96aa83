// The text of a pipeline for a plan.
#pragma once

#include "tools/new_pipeline/plan.h"

#include <string>

namespace penstock {

/// Where the records lie, as the file says it.
struct DataPlace {
  std::string path;         // relative to the .pipe file; with `{split}` where each split has a file
  bool splitByFile = false; // the splits that there are have files
  bool hasDev = true, hasTest = true;
  std::string command; // that writes it, for the first line
};

/// The whole file, not laid out. It checks, and trains with ordinary settings.
std::string pipeText(const Plan &plan, const RawForm &form, const RawProfile &profile, const DataPlace &place, const std::string &name);

} // namespace penstock
