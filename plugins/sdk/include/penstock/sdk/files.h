// Files and saved states, for plugins that are given a path: read whole, within a limit, with errors that name the path.
#pragma once

#include <penstock/sdk/common.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace penstock::sdk {

/// A whole regular file of at most `largest` bytes. Nothing waits here: a FIFO or a device under that name fails at once. `what`: how a
/// person calls it, for the error: "the vocabulary".
inline std::string readFile(const std::string &path, const char *what, std::size_t largest = std::size_t{1} << 28) {
  const auto fail = [&](const std::string &reason) { return Failure(std::string(what) + " " + path + " cannot be read: " + reason); };
  struct Descriptor {
    int number;
    ~Descriptor() {
      if (number >= 0) {
        ::close(number);
      }
    }
  };
  // O_NONBLOCK: opening a FIFO without a writer would wait. It means nothing for a regular file.
  const Descriptor file = {::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  struct stat info = {};
  if (file.number < 0 || ::fstat(file.number, &info) != 0) {
    throw fail(std::strerror(errno));
  }
  if (!S_ISREG(info.st_mode)) {
    throw fail(S_ISDIR(info.st_mode)    ? "it is a folder; a regular file is needed"
               : S_ISFIFO(info.st_mode) ? "it is a FIFO; a regular file is needed"
                                        : "it is a device; a regular file is needed");
  }
  std::string text;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t size = ::read(file.number, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) {
      continue;
    }
    if (size < 0) {
      throw fail(std::strerror(errno));
    }
    if (size == 0) {
      return text;
    }
    if (static_cast<std::size_t>(size) > largest - text.size()) {
      throw fail("it has more than " + std::to_string(largest) + " bytes");
    }
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
}

/// Numbers and texts one after another, as a tokenizer's state: little-endian, texts behind their length.
class StateWriter {
public:
  explicit StateWriter(std::string_view header) : bytes(header) {}
  void number(std::size_t value) {
    for (int shift = 0; shift < 32; shift += 8) {
      bytes += static_cast<char>(value >> shift);
    }
  }
  void text(std::string_view value) {
    number(value.size());
    bytes += value;
  }
  void numbers(const std::vector<std::int32_t> &values) {
    number(values.size());
    for (const std::int32_t value : values) {
      number(static_cast<std::size_t>(value));
    }
  }
  std::string end() { return std::move(bytes); }

private:
  std::string bytes;
};

/// Reads what StateWriter wrote; a state that is cut or changed fails, and never reads beyond its end.
class StateReader {
public:
  StateReader(std::string_view state, std::string_view header, const char *plugin) : plugin(plugin), left(state) {
    if (state.substr(0, header.size()) != header) {
      throw damaged();
    }
    left.remove_prefix(header.size());
  }
  std::uint32_t number() {
    const std::string_view bytes = take(4);
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      value |= std::uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    }
    return value;
  }
  std::string_view text() { return take(number()); }
  /// How many items follow, of at least `itemBytes` each.
  std::size_t count(std::size_t itemBytes) {
    const std::size_t value = number();
    if (value > left.size() / itemBytes) {
      throw damaged();
    }
    return value;
  }
  /// Ids below `limit`.
  std::vector<std::int32_t> numbers(std::size_t limit) {
    std::vector<std::int32_t> values(count(4));
    for (std::int32_t &value : values) {
      value = id(limit);
    }
    return values;
  }
  std::int32_t id(std::size_t limit) {
    const std::uint32_t value = number();
    if (value >= limit) {
      throw damaged();
    }
    return static_cast<std::int32_t>(value);
  }
  Failure damaged() const { return Failure("the saved state is not one of `" + std::string(plugin) + "`; fit it again"); }

private:
  std::string_view take(std::size_t size) {
    if (size > left.size()) {
      throw damaged();
    }
    const std::string_view bytes = left.substr(0, size);
    left.remove_prefix(size);
    return bytes;
  }

  const char *plugin;
  std::string_view left;
};

} // namespace penstock::sdk
