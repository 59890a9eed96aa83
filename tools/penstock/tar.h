// A tar file (ustar, POSIX.1-1988): regular files alone, of nobody and of no time, so that equal files are an equal tar.
#pragma once

#include "runtime/base/file.h"
#include "runtime/base/status.h"

#include <string>
#include <string_view>

namespace penstock {

class TarWriter {
public:
  /// Writes into an open file, which outlives it.
  explicit TarWriter(AtomicFile &file) : file(file) {}

  /// `name`: a relative path of at most 255 bytes, of which the last name has at most 100.
  Status add(const std::string &name, std::string_view bytes);
  /// Call once, behind the last file.
  Status end();

private:
  AtomicFile &file;
};

} // namespace penstock
