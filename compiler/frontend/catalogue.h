// What a `.pipe` file can hold, by name: every call, type and setting, with what a person asks about it. Made of the tables that the check
// reads, for `penstock ops`, `types` and `settings` and for docs/generated.
#pragma once

#include "compiler/frontend/signatures.h"

#include <string>
#include <utility>
#include <vector>

namespace penstock::frontend {

struct CatalogueEntry {
  Signature signature;
  std::string help;                                       // a sentence without its full stop
  std::vector<std::pair<std::string, std::string>> facts; // {"takes", "a number"}: what is no parameter
  std::string example;                                    // within its block: "model { y = x |> linear(8) }"
};

struct CatalogueGroup {
  std::string heading; // "Operators of features"
  std::string about;   // a sentence
  std::vector<CatalogueEntry> entries;
};

/// What can be called, in the order in which it stands in a file: sources, operators of rows, cells and features, tokenizers, operations,
/// heads, learners, metrics, optimizers, schedules. Those of plugins have a group a kind.
std::vector<CatalogueGroup> callables(const std::vector<PluginManifest> &plugins);
/// The types of columns.
CatalogueGroup typesOfColumns();
/// The settings of a block (blocksWithSettings): an entry each, with the calls that it takes as facts.
CatalogueGroup settingsOfBlock(const BlockSpec &block);

/// "`true` or `false`", "a whole number, 1 to 10", "one of `a`, `b`"; and "required", "optional" or the default as it is written.
std::string parameterValues(const ParameterSpec &parameter);
std::string parameterDefault(const ParameterSpec &parameter);

/// docs/generated/operations.md.
std::string operationsPage();

} // namespace penstock::frontend
