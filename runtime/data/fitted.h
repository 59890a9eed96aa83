// What is fitted on train: tokenizers, class names, statistics of numbers. Lies in RUN/fitted/
// (docs/design/data.md).
#pragma once

#include "runtime/base/hash.h"
#include "runtime/data/data_plugins.h"
#include "runtime/data/fitted_folder.h"
#include "runtime/data/record_program.h"

#include <memory>
#include <string>
#include <vector>

namespace penstock {

/// Of the cache entries of kind `state`, whose payload is what a tokenizer wrote.
inline constexpr std::uint32_t stateVersion = 2;

struct FittedFeature {
  std::string version;    // of the plugin
  std::string parameters; // JSON text; paths absolute
  std::string state;
  std::string identity;                       // plugin, version, build, and the parameters with the hash of what lies at each
                                              // path; with the state the key of the id cache
  std::vector<std::string> paths;             // files and folders of the fitted folder that the plugin reads
  std::shared_ptr<const Tokenizer> tokenizer; // see makeTokenizers
};

struct Fitted {
  FittedFolder folder;                           // where it was read; its path is absolute
  std::vector<FittedFeature> features;           // one a feature of the record program
  std::vector<std::vector<std::string>> classes; // or labels of a set; one a column; empty for other columns
  std::vector<DerivedStates> derived;            // one a derived feature of the record program

  /// The number of classes or labels of each column; 0 for other columns.
  std::vector<std::size_t> classCounts() const;
  /// Key of the ids of a file's records, of one split.
  Hash128 idsKey(const RecordProgram &program, int split, const Hash128 &content) const;
};

/// Plugin, version, build, parameters and what lies at their paths, as text to be hashed. A path at which nothing
/// can be read counts as itself: making the tokenizer will tell.
Result<std::string> tokenizerIdentity(const LinkedFeature &feature, const std::string &parameters, const TokenizerInfo &info);
/// What a path parameter that is given names.
struct GivenPath {
  std::string name, path;
  /// Where the plugin says which files it reads there: the folder, and their names in it; else no names, and all that is there counts.
  std::string folder;
  std::vector<std::string> files;
};
/// The path parameters that are given. `parameters`: JSON text.
Result<std::vector<GivenPath>> pathsIn(const std::string &parameters, const TokenizerInfo &info);

/// See writeFitted in dataset.h; reads what it wrote, each file against its hash.
Result<Fitted> readFitted(const RecordProgram &program, const FittedFolder &folder, DataPlugins &factory);
/// Makes the tokenizers that are not made yet. What they read by path is compared after they read it, too. Ids out of the cache need none,
/// and one of 30,000 words takes 50 ms.
Status makeTokenizers(const RecordProgram &program, Fitted &fitted, DataPlugins &factory);

} // namespace penstock
