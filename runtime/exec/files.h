// Files written so that a crash, a kill or a full disk leaves either the old content or the new one, never half.
#pragma once

#include "runtime/base/file.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// A file under construction beside its final place. `commit` makes it durable and visible in one rename; a writer that
/// goes away without it removes what it wrote. Every error names the file and what the system said.
class AtomicFile {
public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile &) = delete;
  AtomicFile &operator=(const AtomicFile &) = delete;

  Status open();
  Status write(const void *bytes, std::size_t size);
  Status write(std::string_view text) { return write(text.data(), text.size()); }
  /// fsync, rename, and, with `durableName`, fsync of the folder: without it the caller syncs the folder.
  Status commit(bool durableName = true);
  /// Only makes it visible: after a crash of the machine anything may stand there.
  Status publish();

private:
  std::string path, temporary;
  int descriptor = -1;
  bool present = false;
};

/// Writes a whole small file atomically.
Status writeFileAtomically(const std::string &path, std::string_view text, bool durableName = true);

/// Makes the folder and those above it.
Status makeFolders(const std::string &path);
/// Makes renames and new names in a folder durable.
Status syncFolder(const std::string &path);
/// Removes a file or a folder with all in it; what is not there is no error.
Status removeAll(const std::string &path);
/// The same, so that a kill leaves it whole or under a temporary name (runtime/base/temporary_name.h), never half of it.
Status removeAtOnce(const std::string &path);
/// Removes what killed processes left half-written in a folder; not below it.
Status removeTemporaries(const std::string &folder);
/// Renames a file or folder and makes it durable.
Status renameDurably(const std::string &from, const std::string &to);
/// Names in a folder, sorted, without "." and ".."; empty where there is no folder.
std::vector<std::string> listFolder(const std::string &path);
bool fileExists(const std::string &path);
bool folderExists(const std::string &path);

} // namespace penstock
