// Files: reading those of which a person or another program gave the name, where nothing waits (a FIFO or a device under that name is
// an error, not a reader that never returns); and writing so that a crash, a kill or a full disk leaves either the old content or the
// new one, never half.
#pragma once

#include "runtime/base/status.h"

#include <cstddef>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace penstock {

/// A file descriptor that is closed with its owner.
class Descriptor {
public:
  Descriptor() = default;
  explicit Descriptor(int number) : number(number) {}
  Descriptor(Descriptor &&other) noexcept : number(other.release()) {}
  Descriptor &operator=(Descriptor &&other) noexcept;
  ~Descriptor();
  int get() const { return number; }
  bool ok() const { return number >= 0; }
  int release() {
    const int given = number;
    number = -1;
    return given;
  }

private:
  int number = -1;
};

/// An environment error: "could not <action> `<path>`: <text of errno>", with a hint for a full disk.
Status systemError(std::string_view action, const std::string &path, int error);

/// An environment error: "`<path>` is damaged: <why>", with `what` ("the compiled program") before the path where given.
Status damagedFile(const std::string &path, std::string_view why, std::string_view what = {});

/// Opens a regular file for reading, and gives its size where asked. The descriptor is judged, not the name, so nobody can put another
/// file in between. Errors (environment) name the path: what the system said, or that it is a folder, a FIFO, a socket or a device.
Result<Descriptor> openRegularFile(const std::string &path, std::size_t *size = nullptr);

/// The bytes of a descriptor up to its end, or the first `most` of them. A stream is waited for.
Result<std::string> readBeginning(int descriptor, const std::string &path, std::size_t most);

/// The bytes of a descriptor up to its end; an environment error that names `path` where there are more than `limit`.
Result<std::string> readDescriptor(int descriptor, const std::string &path, std::size_t limit);

/// A whole regular file of at most `limit` bytes.
Result<std::string> readWholeFile(const std::string &path, std::size_t limit = std::size_t{1} << 30);

bool fileExists(const std::string &path);

/// Writes all of the bytes to a descriptor; false with errno where that fails.
bool writeAll(int descriptor, const void *bytes, std::size_t size);

/// A file under construction beside its final place, under a temporary name (temporary_name.h). `commit` and `publish` make it visible in
/// one rename; a writer that goes away without them removes what it wrote. Every error names the file and what the system said.
class AtomicFile {
public:
  explicit AtomicFile(std::string path);
  AtomicFile(AtomicFile &&other) noexcept;
  AtomicFile &operator=(AtomicFile &&) = delete;
  ~AtomicFile();

  /// Makes the file, empty. `mode` as of open(2), before the umask.
  Status open(mode_t mode = 0644);
  Status write(const void *bytes, std::size_t size);
  Status write(std::string_view text) { return write(text.data(), text.size()); }
  /// fsync, rename, and, with `durableName`, fsync of the folder: without it the caller syncs the folder.
  Status commit(bool durableName = true);
  /// Only makes it visible: after a crash of the machine anything may stand there.
  Status publish();
  /// Where it lies until then, for another program to write to.
  const std::string &temporaryPath() const { return temporary; }
  int descriptor() const { return file.get(); }

private:
  std::string path, temporary;
  Descriptor file;
  bool present = false;
};

/// Writes a whole small file atomically.
Status writeFileAtomically(const std::string &path, std::string_view text, bool durableName = true);
/// The same of a file that may be run; after a crash of the machine anything may stand there.
Status writeExecutable(const std::string &path, std::string_view bytes);

/// From the root on, without `.` and `..`; links stay. As it is given where the system does not know its own folder.
std::string absolutePath(const std::string &path);

} // namespace penstock
