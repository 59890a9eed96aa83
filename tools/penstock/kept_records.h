// `--allow-records`: of learners that keep records of the training set, in what is given to others.
#pragma once

#include "runtime/base/plugin_manifest.h"
#include "runtime/base/status.h"

namespace CLI {
class App;
}

namespace penstock {

void addKeptRecordsOption(CLI::App &command, bool &allowed);
/// An error where the plugin keeps records and nobody allowed it. `place`: what would hold them, "the artifact".
Status checkKeptRecords(const PluginManifest &plugin, bool allowed, const std::string &place);

} // namespace penstock
