#include "tools/penstock/kept_records.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace penstock {

void addKeptRecordsOption(CLI::App &command, bool &allowed) {
  command.add_flag("--allow-records", allowed, "of a learner that keeps records of the training set: others may see them");
}

Status checkKeptRecords(const PluginManifest &plugin, bool allowed, const std::string &place) {
  return !plugin.keepsRecords || allowed
             ? Status()
             : invalidInput(
                   fmt::format("the learner `{}` keeps records of the training set, which would be in {}; say `--allow-records` where "
                               "whoever gets it may see them",
                               plugin.name, place));
}

} // namespace penstock
