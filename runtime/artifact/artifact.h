// An artifact that runs: its programs and plugins are linked into this process, its data lie in weights.bin (docs/design/artifact.md).
#pragma once

#include "runtime/artifact/artifact_data.h"
#include "runtime/artifact/bundle.h"
#include "runtime/artifact/c_layout.h"
#include "runtime/base/status.h"
#include "runtime/exec/model.h"
#include "runtime/exec/predictor.h"
#include "runtime/exec/session.h"
#include "runtime/plugin/plugin_host.h"

#include <memory>
#include <string>
#include <vector>

namespace penstock {

/// Read by any number of threads, each with a session of its own.
class Artifact {
public:
  /// Opens the data in `folder`, "" for those in the file with this code, or beside it, and takes the best level that the machine has and
  /// the artifact brings. `verify` compares all of the data with their hashes, which else happens to what is used. Errors are of the
  /// environment: instructions that the machine lacks, a file that is missing, damaged or of another artifact.
  static Result<std::shared_ptr<const Artifact>> open(const std::string &folder, bool verify = false);

  /// See ArtifactData.
  struct About {
    std::string name, resolved, precision;
    std::vector<std::string> differences;
  };
  const About &about() const { return said; }
  const RunConfig &config() const { return described; }
  const Bundle &bundle() const { return *data; }
  /// What is fitted: all of it lies in memory.
  const FittedFolder &fittedFiles() const { return fitted; }
  PluginHost &host() const { return *plugins; }
  const Predictor &predictor() const { return *answering; }
  std::string_view level() const { return model->table().level; }
  /// The types of its C interface, which point into it.
  CLayout layout() const { return typesOf(said.name, *answering); }
  /// The pool outlives the session.
  Result<std::unique_ptr<Session>> openSession(ThreadPool &pool) const { return Session::open(model, pool); }

private:
  Artifact() = default;
  Status readAbout(const std::string &folder);
  Status openPlugins(const std::string &folder);
  Status openModel();
  Status openOnDevice(const PenstockProgram &program, Device &device, const std::string &kind);

  std::unique_ptr<Bundle> data;
  About said;
  RunConfig described;
  std::vector<std::string> pluginNames; // "tokenizer words"
  FittedFolder fitted;
  std::shared_ptr<PluginHost> plugins;
  std::shared_ptr<const Model> model;
  std::unique_ptr<const Predictor> answering;
};

/// The file that holds this code; "" where the system does not tell.
std::string artifactFile();

} // namespace penstock
