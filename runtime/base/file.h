// Opening and reading files of which a person or another program gave the name. Nothing here waits: a FIFO or a device under that
// name is an error, not a reader that never returns.
#pragma once

#include "runtime/base/status.h"

#include <cstddef>
#include <string>
#include <string_view>

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

/// Opens a regular file for reading, and gives its size where asked. The descriptor is judged, not the name, so nobody can put another
/// file in between. Errors (environment) name the path: what the system said, or that it is a folder, a FIFO, a socket or a device.
Result<Descriptor> openRegularFile(const std::string &path, std::size_t *size = nullptr);

/// The bytes of a descriptor up to its end, or the first `most` of them. A stream is waited for.
Result<std::string> readBeginning(int descriptor, const std::string &path, std::size_t most);

/// The bytes of a descriptor up to its end; an environment error that names `path` where there are more than `limit`.
Result<std::string> readDescriptor(int descriptor, const std::string &path, std::size_t limit);

/// A whole regular file of at most `limit` bytes.
Result<std::string> readWholeFile(const std::string &path, std::size_t limit = std::size_t{1} << 30);

} // namespace penstock
