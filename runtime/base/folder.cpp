#include "runtime/base/folder.h"

#include "runtime/base/file.h"
#include "runtime/base/temporary_name.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

namespace penstock {

namespace fs = std::filesystem;

std::string folderOf(const std::string &path) {
  const std::string folder = fs::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

Status makeFolders(const std::string &path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    return systemError("make the folder", path, error.value());
  }
  return {};
}

Status syncPath(const std::string &path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  // Some file systems have no fsync of folders; there the rename alone must do.
  if (!file.ok() || (::fsync(file.get()) != 0 && errno != EINVAL && errno != ENOTSUP)) {
    return systemError("write", path, errno);
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

/// Puts `from` in the place of `to` at once, even where `to` is a folder that holds something.
static Status replaceFolder(const std::string &from, const std::string &to) {
  if (::rename(from.c_str(), to.c_str()) == 0) {
    return {};
  }
  if (errno != ENOTEMPTY && errno != EEXIST) {
    return systemError("write", to, errno);
  }
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) {
    return removeAll(from);
  }
  PENSTOCK_TRY(removeAtOnce(to)); // a file system without exchange
  return ::rename(from.c_str(), to.c_str()) == 0 ? Status{} : systemError("write", to, errno);
}

Status writeFolderAtomically(const std::string &path, const std::function<Status(const std::string &)> &fill) {
  const std::string temporary = temporaryName(path);
  const auto write = [&]() -> Status {
    PENSTOCK_TRY(removeAll(temporary)); // of a dead process with our number
    PENSTOCK_TRY(makeFolders(temporary));
    PENSTOCK_TRY(fill(temporary));
    PENSTOCK_TRY(syncPath(temporary));
    PENSTOCK_TRY(replaceFolder(temporary, path));
    return syncPath(folderOf(path));
  };
  const Status status = write();
  if (status.ok()) {
    return status;
  }
  (void)removeAll(temporary);
  std::string text = status.message(); // of files that are to lie in `path`, and nobody knows the temporary name
  for (std::size_t at = 0; (at = text.find(temporary, at)) != std::string::npos; at += path.size()) {
    text.replace(at, temporary.size(), path);
  }
  return {status.code(), std::move(text)};
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

bool folderExists(const std::string &path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

std::string commandFolder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path().string();
}

} // namespace penstock
