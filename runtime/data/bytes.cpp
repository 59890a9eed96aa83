#include "runtime/data/bytes.h"

#include "runtime/base/file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace penstock {

namespace {

constexpr std::size_t chunk = std::size_t{128} << 10;

class FileSource : public ByteSource {
public:
  FileSource(int descriptor, std::string path) : descriptor(descriptor), path(std::move(path)) {}
  ~FileSource() override { ::close(descriptor); }
  FileSource(const FileSource &) = delete;
  FileSource &operator=(const FileSource &) = delete;

  Result<std::size_t> read(char *into, std::size_t size) override {
    for (;;) {
      const ssize_t got = ::read(descriptor, into, size);
      if (got >= 0) {
        return static_cast<std::size_t>(got);
      }
      if (errno != EINTR) {
        return environmentError("cannot read `" + path + "`: " + std::strerror(errno));
      }
    }
  }

private:
  int descriptor;
  std::string path;
};

/// Bytes that may be long in coming. Waits in poll(), which a signal ends: a signal that comes first must not be missed by a read().
class StreamSource : public ByteSource {
public:
  StreamSource(Descriptor owned, int descriptor, std::string name, StreamHooks hooks)
      : owned(std::move(owned)), descriptor(descriptor), name(std::move(name)), hooks(std::move(hooks)) {}

  Result<std::size_t> read(char *into, std::size_t size) override {
    if (hooks.idle && !ready()) {
      hooks.idle();
    }
    for (;;) {
      pollfd wanted = {descriptor, POLLIN, 0};
      const int ready = ::poll(&wanted, 1, interval);
      if (hooks.stop && hooks.stop()) {
        return Status(ErrorCode::interrupted, "interrupted");
      }
      if (ready <= 0) {
        waited += ready == 0 ? interval : 0;
        if (waited >= patience && !told && hooks.waiting) {
          told = true;
          hooks.waiting();
        }
        continue;
      }
      const ssize_t got = ::read(descriptor, into, size);
      if (got >= 0) {
        told = true; // who has given something may take a time over the rest
        return static_cast<std::size_t>(got);
      }
      if (errno != EINTR && errno != EAGAIN) {
        return environmentError("cannot read " + name + ": " + std::strerror(errno));
      }
    }
  }

  bool ready() override {
    pollfd wanted = {descriptor, POLLIN, 0};
    return ::poll(&wanted, 1, 0) > 0;
  }

private:
  static constexpr int interval = 200, patience = 1000; // milliseconds
  Descriptor owned;
  int descriptor;
  std::string name;
  StreamHooks hooks;
  int waited = 0;
  bool told = false;
};

} // namespace

Result<std::unique_ptr<ByteSource>> openFileSource(const std::string &path) {
  PENSTOCK_ASSIGN(Descriptor file, openRegularFile(path));
  return std::unique_ptr<ByteSource>(std::make_unique<FileSource>(file.release(), path));
}

Result<std::unique_ptr<ByteSource>> openStreamSource(const std::string &path, const std::string &name, StreamHooks hooks) {
  Descriptor file;
  if (!path.empty()) {
    file = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file.ok()) {
      return invalidInput("the input " + name + " cannot be read: " + std::strerror(errno));
    }
  }
  const int descriptor = path.empty() ? STDIN_FILENO : file.get();
  struct stat info = {};
  if (::fstat(descriptor, &info) != 0) {
    return invalidInput("the input " + name + " cannot be read: " + std::strerror(errno));
  }
  const bool device = S_ISBLK(info.st_mode) || (S_ISCHR(info.st_mode) && ::isatty(descriptor) == 0 && info.st_rdev != makedev(1, 3));
  if (S_ISDIR(info.st_mode) || device) { // device 1:3 is /dev/null
    return invalidInput("the input " + name + " cannot be read: it is a " + (device ? "device" : "folder") +
                        "; give a file, a FIFO or `-`");
  }
  return std::unique_ptr<ByteSource>(std::make_unique<StreamSource>(std::move(file), descriptor, name, std::move(hooks)));
}

bool fileIsMissing(const std::string &path) {
  struct stat info = {};
  return ::stat(path.c_str(), &info) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

FileStamp stampOf(const std::string &path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) {
    return {};
  }
  return {static_cast<std::int64_t>(info.st_size), static_cast<std::int64_t>(info.st_mtim.tv_sec) * 1000000000 + info.st_mtim.tv_nsec,
          static_cast<std::int64_t>(info.st_ino)};
}

ForeignFormat foreignFormat(std::string_view head) {
  const auto begins = [&](std::string_view with) { return head.starts_with(with); };
  constexpr std::string_view gzip("\x1F\x8B"), zip("PK\x03\x04"), xls("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"), bzip("BZh"),
      xz("\xFD"
         "7zXZ\0",
         6),
      zstd("\x28\xB5\x2F\xFD"), parquet("PAR1"), pdf("%PDF-");
  if (begins(gzip)) {
    return {"compressed with gzip", "unpack it with `gunzip`"};
  }
  if (begins(zip)) {
    return {"a zip archive, as an Excel workbook (.xlsx) is", "export a workbook as CSV in UTF-8; unpack another archive"};
  }
  if (begins(xls)) {
    return {"an Excel workbook (.xls)", "export it as CSV in UTF-8"};
  }
  if (begins(bzip) && head.substr(std::min<std::size_t>(4, head.size())).starts_with("1AY&SY")) {
    return {"compressed with bzip2", "unpack it with `bunzip2`"};
  }
  if (begins(xz)) {
    return {"compressed with xz", "unpack it with `unxz`"};
  }
  if (begins(zstd)) {
    return {"compressed with zstd", "unpack it with `unzstd`"};
  }
  if (begins(parquet) && head.size() > 4 && static_cast<unsigned char>(head[4]) < 0x20 && head[4] != '\n' && head[4] != '\r' &&
      head[4] != '\t') {
    return {"a Parquet file", "export it as CSV or JSON Lines in UTF-8"};
  }
  if (begins(pdf)) {
    return {"a PDF", "export its text as CSV or JSON Lines in UTF-8"};
  }
  const bool little = begins("\xFF\xFE"), big = begins("\xFE\xFF");
  // Without a mark: every other byte of Latin letters is 0.
  const bool pairs = head.size() >= 4 && head.substr(0, 4).find('\n') == std::string_view::npos && (head[0] == 0) != (head[1] == 0) &&
                     (head[0] == 0) == (head[2] == 0) && (head[1] == 0) == (head[3] == 0);
  if (little || big || pairs || begins(std::string_view("\0\0\xFE\xFF", 4))) {
    return {
        "text in UTF-16 or UTF-32",
        "say so where it is UTF-16 (`encoding: utf16` of a source, `--encoding utf16`), or convert it, for example with `iconv -t UTF-8`"};
  }
  return {};
}

std::int64_t countLineEnds(std::string_view text) {
  auto count = static_cast<std::int64_t>(std::count(text.begin(), text.end(), '\n'));
  for (std::size_t at = text.find('\r'); at != std::string_view::npos; at = text.find('\r', at + 1)) {
    count += at + 1 == text.size() || text[at + 1] != '\n';
  }
  return count;
}

ByteWindow::ByteWindow(std::unique_ptr<ByteSource> source) : source(std::move(source)) {}

void ByteWindow::consume(std::size_t bytes) {
  begin += bytes;
  consumed += static_cast<std::int64_t>(bytes);
}

Result<ForeignFormat> ByteWindow::open() {
  const auto whole = [&] { return size() >= 16 || atEnd() || std::memchr(data(), '\n', size()) != nullptr; };
  while (!whole()) {
    PENSTOCK_TRY(fill());
  }
  const std::string_view head(data(), size());
  const ForeignFormat foreign = foreignFormat(head);
  if (head.starts_with("\xEF\xBB\xBF")) {
    consume(3);
  }
  return foreign;
}

Status ByteWindow::fill() {
  if (begin > 0) {
    std::memmove(buffer.data(), buffer.data() + begin, end - begin);
    end -= begin;
    begin = 0;
  }
  const std::size_t wanted = end < 4096 ? 0 : end / 2;
  std::size_t got = 0;
  while (!ended) {
    if (buffer.size() - end < chunk / 4) {
      try {
        buffer.resize(std::max(end + chunk, std::min(end * 2, limit + chunk)));
      } catch (const std::bad_alloc &) {
        return environmentError("not enough memory for one row of the data");
      }
    }
    PENSTOCK_ASSIGN(const std::size_t more, source->read(buffer.data() + end, buffer.size() - end));
    ended = more == 0;
    const char *const fresh = buffer.data() + end;
    const bool line = more > 0 && (std::memchr(fresh, '\n', more) != nullptr || std::memchr(fresh, '\r', more) != nullptr);
    end += more;
    got += more;
    if ((got >= wanted && (line || got > 4096)) || end > limit) {
      break;
    }
  }
  return Status::success();
}

} // namespace penstock
