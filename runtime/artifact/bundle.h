// weights.bin, the data of an artifact: named sections in one file that is mapped read-only, so that processes share its pages
// (docs/design/artifact.md).
//
//   header   64 bytes: mark, version of the format, bytes of the table and its hash, bytes of the file, hash of the header
//   table    of each section its name, offset, bytes and the hash of each of its blocks of 1 MiB; then zeros
//   sections each at a multiple of 64, of 4096 where it has a page or more; zeros between them
#pragma once

#include "runtime/base/disk_cache.h"
#include "runtime/base/status.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// Sections to write. What is added is looked at again when the file is written.
class BundleWriter {
public:
  void add(std::string name, std::string_view bytes) { sections.emplace_back(std::move(name), bytes); }
  /// Writes the file at once or not at all.
  Status write(const std::string &path) const;

private:
  std::vector<std::pair<std::string, std::string_view>> sections;
};

class Bundle {
public:
  /// Maps `path`, and judges header and table. Errors (environment): what is missing, damaged, or of another
  /// version of the format.
  static Result<std::unique_ptr<Bundle>> open(const std::string &path);
  /// The same of one that `append` put behind a file; NULL where there is none.
  static Result<std::unique_ptr<Bundle>> openAppended(const std::string &path);
  /// The bytes of such a file before its bundle.
  static Result<std::string> withoutAppended(const std::string &path);
  /// Puts a bundle's bytes behind those of a file, so that both are read where they lie.
  static void append(std::string &file, std::string_view bundle);

  bool has(const std::string &name) const { return places.contains(name); }
  /// Names of sections that begin so.
  std::vector<std::string> namesWith(std::string_view prefix) const;
  /// The bytes of a section, whose hashes are compared first. They live as long as the bundle.
  Result<std::string_view> section(const std::string &name) const;
  /// Whether bytes begin as such a file.
  static bool isBundle(std::string_view beginning);
  std::uint64_t bytesOf(const std::string &name) const { return places.at(name).bytes; }
  /// Compares all.
  Status verify() const;

private:
  struct Place {
    std::uint64_t offset = 0, bytes = 0;
    std::vector<std::uint64_t> hashes; // of blocks
  };
  explicit Bundle(std::string path) : path(std::move(path)) {}
  static Result<std::unique_ptr<Bundle>> judge(std::unique_ptr<Bundle> bundle);
  std::string readTable(std::string_view table);
  std::string path;
  std::shared_ptr<const MappedFile> file;
  std::string_view bytes; // of the bundle, in the file
  std::map<std::string, Place> places;
};

} // namespace penstock
