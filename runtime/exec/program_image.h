// A compiled program in memory: judged as a whole before any of it runs.
//
// The file is a shared library of one known form (docs/design/emission.md): a few segments, relative relocations alone, one exported
// function, nothing that it needs. So it is mapped here and not by the system's loader, which trusts what it reads: damaged tables
// in the file are an error and no signal, a file system that forbids execution does not matter, and nobody can change or cut the
// file under a running program.
#pragma once

#include "runtime/abi/program_abi.h"
#include "runtime/base/status.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

class ProgramImage {
public:
  /// Maps a private copy of the sealed file (runtime/base/program_seal.h). `path` is for messages. An error (environment) says what
  /// is wrong with the file, or that this system lets no process run code that it makes.
  static Result<std::unique_ptr<ProgramImage>> map(std::string_view file, const std::string &path);
  ~ProgramImage();
  ProgramImage(const ProgramImage &) = delete;
  ProgramImage &operator=(const ProgramImage &) = delete;

  /// What the program exports.
  PenstockProgramFunction function() const;

  /// Whether so many elements lie in the image. A NULL pointer holds none.
  template <typename T> bool holds(const T *first, std::int64_t count) const {
    return count == 0 || (count > 0 && reinterpret_cast<std::uintptr_t>(first) % alignof(T) == 0 &&
                          count <= limit / std::int64_t{sizeof(T)} && holdsBytes(first, static_cast<std::size_t>(count) * sizeof(T)));
  }
  /// Whether a text that ends with NUL lies in the image.
  bool holdsText(const char *text) const;
  /// Whether the address is one of code.
  bool holdsCode(PenstockStepFunction address) const;

private:
  struct Segment {
    std::uint64_t offset, fileSize, address, memorySize;
    bool writable, code;
  };
  friend class ImageJudge;
  ProgramImage() = default;
  bool holdsBytes(const void *first, std::size_t bytes) const;
  Status mapSegments(std::string_view library, const std::string &path);
  Status mapPrivately(std::string_view library, int file);

  static constexpr std::int64_t limit = std::int64_t{1} << 30;
  std::vector<Segment> segments;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> relocations; // place and value, both relative to the base
  std::uint64_t span = 0, symbol = 0;
  std::uint64_t relroBegin = 0, relroEnd = 0;
  char *base = nullptr;
};

} // namespace penstock
