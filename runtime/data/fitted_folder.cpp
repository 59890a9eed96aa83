#include "runtime/data/fitted_folder.h"

#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/data/run_text.h"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

namespace penstock {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// A vocabulary of a large language is some hundred MiB.
static constexpr std::size_t largest = std::size_t{1} << 36;

std::string fileNameOf(const std::string &name) {
  std::string text;
  for (const char byte : name) {
    const auto code = static_cast<unsigned char>(byte);
    const bool plain =
        (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z') || (code >= '0' && code <= '9') || code == '_' || code == '-';
    text += plain ? std::string(1, byte) : fmt::format("%{:02X}", code);
  }
  return text;
}

std::string vocabularyFile(const std::string &feature) { return fileNameOf(feature) + ".state"; }

std::string documentsFile(const std::string &feature) { return fileNameOf(feature) + ".documents"; }

static Status damaged(const FittedFolder &folder, const std::string &name, const std::string &why) {
  return damagedFile(folder.path + "/" + name,
                     why + "; continue the run with `--resume`, which writes it again from the data, or train again");
}

Result<std::string> readFittedFile(const FittedFolder &folder, const std::string &name) {
  std::string bytes;
  if (const auto inMemory = folder.held.find(name); inMemory != folder.held.end()) {
    bytes = inMemory->second;
  } else {
    const std::string path = folder.path + "/" + name;
    std::error_code error;
    if (!folder.hashes.empty() && !fs::exists(path, error)) {
      return damaged(folder, name, "it is not there");
    }
    PENSTOCK_ASSIGN(bytes, readWholeFile(path, largest));
  }
  if (folder.hashes.empty()) {
    return bytes;
  }
  const auto known = folder.hashes.find(name);
  if (known == folder.hashes.end()) {
    return damaged(folder, name, "the run was trained without it");
  }
  if (hash64Hex(bytes) != known->second) {
    return damaged(folder, name, "it is not what this run was trained with");
  }
  return bytes;
}

Status checkFittedPath(const FittedFolder &folder, const std::string &name) {
  if (folder.hashes.empty() || !folder.held.empty()) { // the state in memory is all that the plugin needs
    return {};
  }
  std::error_code error;
  std::string whole = name;
  if (!fs::is_directory(folder.path + "/" + name, error)) {
    PENSTOCK_TRY(readFittedFile(folder, name).status());
    whole = fs::path(name).parent_path().string();
    if (whole.empty()) {
      return {};
    }
  }
  PENSTOCK_ASSIGN(const auto found, hashesBelow(folder.path + "/" + whole));
  for (const auto &[below, hash] : found) {
    PENSTOCK_TRY(readFittedFile(folder, whole + "/" + below).status());
  }
  for (const auto &[known, hash] : folder.hashes) {
    if (known.starts_with(whole + "/") && !found.contains(known.substr(whole.size() + 1))) {
      return damaged(folder, known, "it is not there");
    }
  }
  return {};
}

Status checkFitted(const FittedFolder &folder, const std::set<std::string> &without) {
  for (const auto &[name, hash] : folder.hashes) {
    if (!without.contains(name)) {
      PENSTOCK_TRY(readFittedFile(folder, name).status());
    }
  }
  return {};
}

Result<std::map<std::string, std::string>> hashesBelow(const std::string &folder) {
  std::map<std::string, std::string> hashes;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    if (entry->is_directory(ignored)) {
      continue;
    }
    PENSTOCK_ASSIGN(const std::string bytes, readWholeFile(entry->path().string(), largest));
    hashes[entry->path().lexically_relative(folder).string()] = hash64Hex(bytes);
  }
  if (error) {
    return systemError("read", folder, error.value());
  }
  return hashes;
}

Result<FittedFolder> fittedOfRun(const std::string &run) {
  const std::string path = run + "/run.json";
  PENSTOCK_ASSIGN(const std::string text, readWholeFile(path));
  PENSTOCK_ASSIGN(const Json json, openRunText(path, text));
  FittedFolder folder(run + "/fitted");
  if (json.contains("fitted") && json["fitted"].is_object()) {
    for (const auto &[name, hash] : json["fitted"].items()) {
      if (hash.is_string()) {
        folder.hashes[name] = hash.get<std::string>();
      }
    }
  }
  if (folder.hashes.empty()) {
    return environmentError("the run in `" + run + "` has not come so far that it can be begun from; continue it with `--resume`");
  }
  return folder;
}

} // namespace penstock
