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
  std::string run;           // its folder
  std::string name, version; // of the artifact, and of what builds it
  struct Level {
    std::string name, library; // library: the path of one with a program that only predicts and packs as that level does
  };
  std::vector<Level> levels;
  std::string precision;
  std::vector<std::string> differences; // why answers may differ from the run's; none: they are equal to the bit
  std::vector<PluginManifest> plugins;  // in use
  std::vector<bool> beside;             // one a plugin: it is not linked in
  bool singleFile = false;              // the libraries of such lie in the data
};

/// Writes weights.bin, libraries of plugins, the C header and manifest.toml into `folder`. They hold no path of this machine
/// and no cell. The machine must have the levels of the libraries, which pack the weights here.
/// Gives what library and data must agree on: the hash of the header, 16 digits.
Result<std::string> writeArtifactData(const ArtifactData &data, PluginHost &host, const std::string &folder);

} // namespace penstock
