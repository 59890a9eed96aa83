// Where bytes come from: a file, or a stream that a person may be typing into.
#pragma once

#include "runtime/base/status.h"

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>

namespace penstock {

class ByteSource {
public:
  virtual ~ByteSource() = default;
  /// Reads up to `size` bytes; 0 at the end. Gives what is there without waiting for more.
  virtual Result<std::size_t> read(char *into, std::size_t size) = 0;
};

/// Opens a regular file. Failures are environment errors that name the path; see `fileIsMissing`
/// for the one that is not.
Result<std::unique_ptr<ByteSource>> openFileSource(const std::string &path);
/// Does not own `input`.
std::unique_ptr<ByteSource> makeStreamSource(std::istream &input);
/// True when no file has this name (ENOENT, ENOTDIR).
bool fileIsMissing(const std::string &path);

/// What tells that a file was written to: compare before and after.
struct FileStamp {
  std::int64_t size = -1, modified = 0, inode = 0;
  friend bool operator==(const FileStamp &, const FileStamp &) = default;
};
FileStamp stampOf(const std::string &path);

/// A window over a byte source that grows only as far as one row needs.
class ByteWindow {
public:
  /// No row may be longer than this.
  static constexpr std::size_t limit = std::size_t{64} << 20;

  explicit ByteWindow(std::unique_ptr<ByteSource> source);
  const char *data() const { return buffer.data() + begin; }
  std::size_t size() const { return end - begin; }
  bool atEnd() const { return ended; }
  /// Bytes of the source before data().
  std::int64_t offset() const { return consumed; }
  void consume(std::size_t bytes);
  /// Brings more bytes: at least up to a line end, and a share of what is held already, so that
  /// scanning a row again after each call stays linear. Does nothing at the end. The size may pass
  /// `limit` by one read.
  Status fill();

private:
  std::unique_ptr<ByteSource> source;
  std::string buffer;
  std::size_t begin = 0, end = 0;
  std::int64_t consumed = 0;
  bool ended = false;
};

} // namespace penstock
