// The file of a compiled program.
#pragma once

#include "runtime/base/status.h"

#include <string>

namespace penstock {

/// Read once: what is hashed, judged and mapped are these bytes.
struct ProgramFile {
  std::string path; // for messages
  std::string bytes;

  static Result<ProgramFile> read(const std::string &path);
  /// XXH64 of the bytes.
  std::string hash() const;
  /// Seals the bytes anew without the key that the compile cache put there: equal libraries are then equal files, whatever build of the
  /// compiler made them. An error where the seal does not fit.
  Status forgetKey();
};

} // namespace penstock
