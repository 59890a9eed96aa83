// Folders that a crash, a kill or a full disk leaves either as they were or as they should be. Every error names the path and what the
// system said.
#pragma once

#include "runtime/base/status.h"

#include <functional>
#include <string>
#include <vector>

namespace penstock {

/// The folder in which a file or folder lies; "." for a name alone.
std::string folderOf(const std::string &path);
/// Makes the folder and those above it.
Status makeFolders(const std::string &path);
/// Makes a file durable, or the renames and new names in a folder.
Status syncPath(const std::string &path);
/// Removes a file or a folder with all in it; what is not there is no error.
Status removeAll(const std::string &path);
/// The same, so that a kill leaves it whole or under a temporary name (runtime/base/temporary_name.h), never half of it.
Status removeAtOnce(const std::string &path);
/// Removes what killed processes left half-written in a folder; not below it.
Status removeTemporaries(const std::string &folder);
/// Makes a folder under a temporary name beside `path`, with those above it, lets `fill` put files into it, and puts it in the place of
/// what is there, at once and durably. Where anything fails, what was there stays, and the error names `path` in place of the temporary
/// name.
Status writeFolderAtomically(const std::string &path, const std::function<Status(const std::string &temporary)> &fill);
/// Names in a folder, sorted, without "." and ".."; empty where there is no folder.
std::vector<std::string> listFolder(const std::string &path);
bool folderExists(const std::string &path);
/// The folder in which the running command's own file lies, links resolved; "" where the system does not tell.
std::string commandFolder();

} // namespace penstock
