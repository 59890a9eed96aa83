#include "runtime/exec/files.h"

#include "runtime/base/temporary_name.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace penstock {

namespace fs = std::filesystem;

static std::string folderOf(const std::string &path) {
  const std::string folder = fs::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

AtomicFile::AtomicFile(std::string path) : path(std::move(path)), temporary(temporaryName(this->path)) {}

AtomicFile::~AtomicFile() {
  if (descriptor >= 0) {
    ::close(descriptor);
  }
  if (present) {
    ::unlink(temporary.c_str());
  }
}

Status AtomicFile::open() {
  descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) {
    return systemError("write", path, errno);
  }
  present = true;
  return {};
}

Status AtomicFile::write(const void *bytes, std::size_t size) {
  const char *at = static_cast<const char *>(bytes);
  while (size > 0) {
    const ssize_t done = ::write(descriptor, at, std::min<std::size_t>(size, std::size_t{1} << 30));
    if (done < 0) {
      if (errno == EINTR) {
        continue;
      }
      return systemError("write", path, errno);
    }
    at += done;
    size -= static_cast<std::size_t>(done);
  }
  return {};
}

Status AtomicFile::commit(bool durableName) {
  if (::fsync(descriptor) != 0) {
    return systemError("write", path, errno);
  }
  PENSTOCK_TRY(publish());
  return durableName ? syncFolder(folderOf(path)) : Status{};
}

Status AtomicFile::publish() {
  const int closed = ::close(descriptor);
  descriptor = -1;
  if (closed != 0) {
    return systemError("write", path, errno);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
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

Status makeFolders(const std::string &path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    return systemError("make the folder", path, error.value());
  }
  return {};
}

Status syncFolder(const std::string &path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) {
    return systemError("open the folder", path, errno);
  }
  const int failed = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  // Some file systems have no fsync of folders; there the rename alone must do.
  if (failed != 0 && error != EINVAL && error != ENOTSUP) {
    return systemError("write", path, error);
  }
  return {};
}

Status removeAll(const std::string &path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) {
    return systemError("remove", path, error.value());
  }
  return {};
}

Status removeAtOnce(const std::string &path) {
  const std::string gone = temporaryName(path + ".gone"); // beside what is being written for the same place
  PENSTOCK_TRY(removeAll(gone));
  if (::rename(path.c_str(), gone.c_str()) != 0) {
    return errno == ENOENT ? Status{} : systemError("remove", path, errno);
  }
  return removeAll(gone);
}

Status removeTemporaries(const std::string &folder) {
  for (const std::string &name : listFolder(folder)) {
    if (isTemporaryName(name)) {
      PENSTOCK_TRY(removeAll(folder + "/" + name));
    }
  }
  return {};
}

Status renameDurably(const std::string &from, const std::string &to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return systemError("write", to, errno);
  }
  return syncFolder(folderOf(to));
}

std::vector<std::string> listFolder(const std::string &path) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool fileExists(const std::string &path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

bool folderExists(const std::string &path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

} // namespace penstock
