// Links the library and the command of an artifact (docs/design/artifact.md). No MLIR here.
#pragma once

#include "runtime/base/status.h"

#include <string>
#include <vector>

namespace penstock {

/// What an artifact needs of the machine that runs it. Of glibc's libraries some are empty since 2.34, and are there for older programs.
inline constexpr const char *systemLibraries[] = {"libstdc++.so.6", "libm.so.6",       "libgcc_s.so.1",       "libc.so.6",
                                                  "libdl.so.2",     "libpthread.so.0", "ld-linux-x86-64.so.2"};

struct ArtifactParts {
  std::string name;                 // an identifier of C
  std::vector<std::string> objects; // of its programs
  std::vector<std::string> devices; // that it has code for: what computes there is linked in
  std::vector<std::string> plugins; // names of plugins of the tree
  /// Of the C interface: `penstock_artifact_<function>` gets the name `<name>_<function>`.
  std::vector<std::string> functions;
  bool trains = false; // with what trains it
  std::string types;   // what library and data must agree on: the hash of the header, 16 digits
  std::string folder;  // where lib<name>.so and <name> are put
};

/// An environment error where what artifacts are linked of is not installed beside the command.
Status linkArtifact(const ArtifactParts &parts);

} // namespace penstock
