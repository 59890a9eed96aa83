#include "runtime/base/file.h"

#include "runtime/base/folder.h"
#include "runtime/base/temporary_name.h"

#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

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
    text += "; free some space and run the command again (`train` continues with `--resume`)";
  } else if (error == EFBIG) {
    text += "; the limit on file sizes (`ulimit -f`) is too low, raise it and run the command again (`train` continues with `--resume`)";
  }
  return environmentError(std::move(text));
}

Status damagedFile(const std::string &path, std::string_view why, std::string_view what) {
  std::string text(what);
  text += text.empty() ? "`" : " `";
  return environmentError(text + path + "` is damaged: " + std::string(why));
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

bool fileExists(const std::string &path) {
  struct stat info = {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

bool writeAll(int descriptor, const void *bytes, std::size_t size) {
  const char *at = static_cast<const char *>(bytes);
  while (size > 0) {
    const ssize_t done = ::write(descriptor, at, std::min<std::size_t>(size, std::size_t{1} << 30));
    if (done < 0) {
      if (errno == EINTR) {
        continue;
      }
      return false;
    }
    at += done;
    size -= static_cast<std::size_t>(done);
  }
  return true;
}

AtomicFile::AtomicFile(std::string path) : path(std::move(path)), temporary(temporaryName(this->path)) {}

AtomicFile::AtomicFile(AtomicFile &&other) noexcept
    : path(std::move(other.path)), temporary(std::move(other.temporary)), file(std::move(other.file)),
      present(std::exchange(other.present, false)) {}

AtomicFile::~AtomicFile() {
  if (present) {
    ::unlink(temporary.c_str());
  }
}

Status AtomicFile::open(mode_t mode) {
  ::unlink(temporary.c_str()); // of a dead process with our number
  file = Descriptor(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!file.ok()) {
    return systemError("write", path, errno);
  }
  present = true;
  return {};
}

Status AtomicFile::write(const void *bytes, std::size_t size) {
  return writeAll(file.get(), bytes, size) ? Status{} : systemError("write", path, errno);
}

Status AtomicFile::commit(bool durableName) {
  if (::fsync(file.get()) != 0) {
    return systemError("write", path, errno);
  }
  PENSTOCK_TRY(publish());
  return durableName ? syncPath(folderOf(path)) : Status{};
}

Status AtomicFile::publish() {
  if (::close(file.release()) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0) {
    return systemError("write", path, errno);
  }
  present = false;
  return {};
}

Status writeFileAtomically(const std::string &path, std::string_view text, bool durableName) {
  AtomicFile file(path);
  PENSTOCK_TRY(file.open());
  PENSTOCK_TRY(file.write(text));
  return file.commit(durableName);
}

Status writeExecutable(const std::string &path, std::string_view bytes) {
  AtomicFile file(path);
  PENSTOCK_TRY(file.open(0755));
  PENSTOCK_TRY(file.write(bytes));
  return file.publish();
}

std::string absolutePath(const std::string &path) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  return (error ? std::filesystem::path(path) : absolute).lexically_normal().string();
}

} // namespace penstock
