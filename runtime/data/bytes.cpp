#include "runtime/data/bytes.h"

#include "runtime/base/file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <istream>
#include <new>
#include <sys/stat.h>
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

class StreamSource : public ByteSource {
public:
  explicit StreamSource(std::istream &input) : input(input) {}

  Result<std::size_t> read(char *into, std::size_t size) override {
    try {
      if (input.peek() == std::istream::traits_type::eof()) {
        if (input.bad()) {
          return environmentError("cannot read the input stream");
        }
        return std::size_t{0};
      }
      const std::streamsize there = std::max<std::streamsize>(input.rdbuf()->in_avail(), 1);
      input.read(into, std::min<std::streamsize>(there, static_cast<std::streamsize>(size)));
      return static_cast<std::size_t>(input.gcount());
    } catch (const std::exception &) {
      return environmentError("cannot read the input stream");
    }
  }

private:
  std::istream &input;
};

} // namespace

Result<std::unique_ptr<ByteSource>> openFileSource(const std::string &path) {
  PENSTOCK_ASSIGN(Descriptor file, openRegularFile(path));
  return std::unique_ptr<ByteSource>(std::make_unique<FileSource>(file.release(), path));
}

std::unique_ptr<ByteSource> makeStreamSource(std::istream &input) { return std::make_unique<StreamSource>(input); }

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

ByteWindow::ByteWindow(std::unique_ptr<ByteSource> source) : source(std::move(source)) {}

void ByteWindow::consume(std::size_t bytes) {
  begin += bytes;
  consumed += static_cast<std::int64_t>(bytes);
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
    const bool line = more > 0 && std::memchr(buffer.data() + end, '\n', more) != nullptr;
    end += more;
    got += more;
    if ((got >= wanted && (line || got > 4096)) || end > limit) {
      break;
    }
  }
  return Status::success();
}

} // namespace penstock
