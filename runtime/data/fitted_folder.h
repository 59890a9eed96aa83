// RUN/fitted/ with the hashes of what it must hold: what gives ids and classes their meaning decides every answer.
#pragma once

#include "runtime/base/status.h"

#include <map>
#include <set>
#include <string>
#include <string_view>

namespace penstock {

// Its files, beside those that a tokenizer reads.
inline constexpr const char *tokenizersFile = "tokenizers.json", *classesFile = "classes.json", *numbersFile = "numbers.json";
inline constexpr const char *countsFile = "counts.json"; // of train, for those who compare an input with it: input_counts.h
/// The state of a feature's tokenizer.
std::string vocabularyFile(const std::string &feature);
/// How many records of train have each id of a feature.
std::string documentsFile(const std::string &feature);
/// A name as part of a file name: bytes other than letters, digits, `_` and `-` become %XX.
std::string fileNameOf(const std::string &name);

struct FittedFolder {
  FittedFolder() = default;
  /// A folder whose files are taken as they are.
  FittedFolder(std::string path) : path(std::move(path)) {}
  FittedFolder(const char *path) : path(path) {}
  FittedFolder(std::string path, std::map<std::string, std::string> hashes) : path(std::move(path)), hashes(std::move(hashes)) {}

  std::string path;
  std::map<std::string, std::string> hashes; // XXH64 by path in the folder; with none, nothing is compared
  /// Whether the file was fitted; earlier releases fitted fewer.
  bool holds(const std::string &name) const { return held.contains(name) || hashes.contains(name); }
  /// Files that lie in memory, which outlives this: they are not looked for in the folder. All of an artifact do.
  std::map<std::string, std::string_view> held;
};

/// The bytes of a file of the folder, which are those that were hashed. An error (environment) says that the file is missing or is not the
/// one of the run, and what to do.
Result<std::string> readFittedFile(const FittedFolder &folder, const std::string &name);
/// Compares a file or a folder that a plugin reads by its path; of a file in a folder below, all of that folder, whose files stand beside
/// it.
Status checkFittedPath(const FittedFolder &folder, const std::string &name);
/// Compares all files that stand in `hashes`, but for those of `without`.
Status checkFitted(const FittedFolder &folder, const std::set<std::string> &without);
/// Hashes of all files below a folder, by path.
Result<std::map<std::string, std::string>> hashesBelow(const std::string &folder);

/// What the run in `run` was fitted to, by its run.json. An error (environment) where that is damaged or of another release.
Result<FittedFolder> fittedOfRun(const std::string &run);

} // namespace penstock
