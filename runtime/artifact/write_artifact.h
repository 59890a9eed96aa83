// The data of an artifact, made of a finished run.
#pragma once

#include "runtime/base/status.h"
#include "runtime/exec/run_folder.h"
#include "runtime/plugin/plugin_host.h"

#include <string>
#include <vector>

namespace penstock {

struct ArtifactData {
  const RunRecord *record = nullptr;
  std::string run;                     // its folder
  std::string name, version;           // of the artifact, and of what builds it
  std::vector<std::string> programs;   // paths of libraries, one a level, of programs that only predict
  std::vector<PluginManifest> plugins; // in use
};

/// Writes weights.bin, the files that plugins read by path, the C header and manifest.toml into `folder`. They hold no path of this machine
/// and no cell. The machine must have every level, for the weights are packed here.
/// Gives what library and data must agree on: the hash of the header, 16 digits.
Result<std::string> writeArtifactData(const ArtifactData &data, PluginHost &host, const std::string &folder);

} // namespace penstock
