// Where bytes come from: a file, or a stream that a person may be typing into.
#pragma once

#include "runtime/base/status.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace penstock {

class ByteSource {
public:
  virtual ~ByteSource() = default;
  /// Reads up to `size` bytes; 0 at the end. Gives what is there without waiting for more.
  virtual Result<std::size_t> read(char *into, std::size_t size) = 0;
  /// Whether read() would give something, or the end, at once.
  virtual bool ready() { return true; }
};

/// Opens a regular file. Failures are environment errors that name the path; see `fileIsMissing`
/// for the one that is not.
Result<std::unique_ptr<ByteSource>> openFileSource(const std::string &path);
/// What happens while a stream gives nothing.
struct StreamHooks {
  std::function<bool()> stop;    // true ends the reading: an interrupted status
  std::function<void()> waiting; // called once, when the first bytes are a second late
  std::function<void()> idle;    // called each time before the reading waits
};
/// Opens what may be a stream: a file, FIFO, pipe, socket or terminal, of which `name` is the name for people; "" is standard input.
/// Opening never waits. A folder, a device or nothing there is an invalid input.
Result<std::unique_ptr<ByteSource>> openStreamSource(const std::string &path, const std::string &name, StreamHooks hooks);
/// True when no file has this name (ENOENT, ENOTDIR).
bool fileIsMissing(const std::string &path);

/// What tells that a file was written to: compare before and after.
struct FileStamp {
  std::int64_t size = -1, modified = 0, inode = 0;
  friend bool operator==(const FileStamp &, const FileStamp &) = default;
};
FileStamp stampOf(const std::string &path);

/// What something is that is no text in UTF-8, and what to do about it; both empty for text.
struct ForeignFormat {
  const char *what = "", *remedy = "";
  explicit operator bool() const { return what[0] != '\0'; }
};

/// Tells by the first bytes (16 are enough).
ForeignFormat foreignFormat(std::string_view head);

/// How many lines end in `text`: with LF, CR LF or a CR alone.
std::int64_t countLineEnds(std::string_view text);

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
  /// Whether there are more than `known` bytes, or the end, without waiting.
  bool ready(std::size_t known) { return size() > known || ended || source->ready(); }
  /// Brings more bytes: at least up to a line end, and a share of what is held already, so that
  /// scanning a row again after each call stays linear. Does nothing at the end. The size may pass
  /// `limit` by one read.
  Status fill();
  /// Looks at the beginning: leaves out a byte order mark. Call first.
  Result<ForeignFormat> open();

private:
  std::unique_ptr<ByteSource> source;
  std::string buffer;
  std::size_t begin = 0, end = 0;
  std::int64_t consumed = 0;
  bool ended = false;
};

} // namespace penstock
