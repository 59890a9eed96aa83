// The data of an artifact, made of a finished run.
#pragma once

#include "runtime/base/status.h"
#include "runtime/exec/model.h"
#include "runtime/exec/run_folder.h"
#include "runtime/plugin/plugin_host.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace penstock {

/// A plugin in use.
struct ArtifactPlugin {
  PluginManifest manifest;
  std::string text;    // of plugin.toml
  bool beside = false; // it is not linked in: its library goes with the artifact
};

struct ArtifactData {
  const RunRecord *record = nullptr;
  std::string run;           // its folder, with the weights
  FittedFolder fitted;       // with the hashes of all its files
  std::string name, version; // of the artifact, and of what builds it
  std::string resolved;      // RunConfig::hash of the pipeline
  bool trains = false;       // it can be trained: it has all weights, and what of the pipeline says how
  struct Level {
    std::string name;
    std::shared_ptr<Model> program; // that only predicts, and packs as that level does; it gets the weights
  };
  std::vector<Level> levels;
  std::map<std::string, std::string> devices; // kind and fingerprint of the programs for devices beside the CPU
  std::string precision;
  std::vector<std::string> differences; // why answers may differ from the run's; none: they are equal to the bit
  std::vector<ArtifactPlugin> plugins;
  bool singleFile = false; // the libraries of plugins that are not linked in lie in the data
};

/// Writes weights.bin, libraries of plugins, the C header and manifest.toml into `folder`. They hold no path of this machine
/// and no cell. The machine must have the levels of the libraries, which pack the weights here.
/// Gives what library and data must agree on: the hash of the header, 16 digits.
Result<std::string> writeArtifactData(const ArtifactData &data, PluginHost &host, const std::string &folder);

/// Writes an executable of `code`, the library of an artifact of one file, with the data that lie in a file behind it.
Status writeSingleFile(std::string code, const std::string &data, const std::string &output);

/// Whether an artifact may be put there: a folder is replaced only where it holds nothing but an artifact.
Status checkArtifactFolder(const std::string &folder);

/// An error where the program calls kernels that are not our own, which an artifact does not have.
Status checkOwnKernels(const PenstockProgram &program);

} // namespace penstock
