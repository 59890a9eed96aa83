#include "runtime/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace penstock {

Descriptor &Descriptor::operator=(Descriptor &&other) noexcept {
  if (this != &other) {
    if (number >= 0) {
      ::close(number);
    }
    number = other.release();
  }
  return *this;
}

Descriptor::~Descriptor() {
  if (number >= 0) {
    ::close(number);
  }
}

Status systemError(std::string_view action, const std::string &path, int error) {
  std::string text = "could not " + std::string(action) + " `" + path + "`: ";
  text += std::strerror(error);
  if (error == ENOSPC || error == EDQUOT) {
    text += "; free some space and continue with `--resume`";
  } else if (error == EFBIG) {
    text += "; the limit on file sizes (`ulimit -f`) is too low, raise it and continue with `--resume`";
  }
  return environmentError(std::move(text));
}

Result<Descriptor> openRegularFile(const std::string &path, std::size_t *size) {
  // O_NONBLOCK: opening a FIFO without a writer would wait. It means nothing for a regular file.
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.ok()) {
    if (errno == ENXIO) {
      return environmentError("could not read `" + path + "`: it is a socket or a device; a regular file is needed");
    }
    return systemError("read", path, errno);
  }
  struct stat info = {};
  if (::fstat(file.get(), &info) != 0) {
    return systemError("read", path, errno);
  }
  if (!S_ISREG(info.st_mode)) {
    const char *const kind = S_ISDIR(info.st_mode) ? "a folder" : S_ISFIFO(info.st_mode) ? "a FIFO" : "a device";
    return environmentError("could not read `" + path + "`: it is " + kind + "; a regular file is needed");
  }
  if (size != nullptr) {
    *size = static_cast<std::size_t>(info.st_size);
  }
  return file;
}

Result<std::string> readBeginning(int descriptor, const std::string &path, std::size_t most) {
  std::string text;
  struct stat info = {};
  if (::fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode)) {
    text.reserve(std::min(static_cast<std::size_t>(info.st_size), most));
  }
  char piece[1 << 16];
  while (text.size() < most) {
    const ssize_t got = ::read(descriptor, piece, std::min(sizeof(piece), most - text.size()));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return systemError("read", path, errno);
    }
    if (got == 0) {
      break;
    }
    text.append(piece, static_cast<std::size_t>(got));
  }
  return text;
}

Result<std::string> readDescriptor(int descriptor, const std::string &path, std::size_t limit) {
  PENSTOCK_ASSIGN(std::string text, readBeginning(descriptor, path, limit + 1));
  if (text.size() > limit) {
    return environmentError("`" + path + "` is larger than a file of its kind can be (" + std::to_string(limit) + " bytes)");
  }
  return text;
}

Result<std::string> readWholeFile(const std::string &path, std::size_t limit) {
  PENSTOCK_ASSIGN(const Descriptor file, openRegularFile(path));
  return readDescriptor(file.get(), path, limit);
}

} // namespace penstock
