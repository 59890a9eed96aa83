// plugin.toml: what a plugin is and takes, read without loading its code. The one user of TOML++ in base, so that the
// front end and the plugin host read manifests alike.
#pragma once

#include "runtime/base/plugin_kinds.h"
#include "runtime/base/status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace penstock {

/// A value of a plugin parameter. Paths are strings, made absolute before they reach a plugin.
using PluginValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>, std::vector<double>>;

struct PluginParameter {
  std::string name;
  enum class Type { boolean, integer, number, string, path, enumeration, strings, numbers } type = Type::integer;
  bool required = false;
  bool optional = false;            // has no value unless the call gives one
  PluginValue defaultValue;         // where neither required nor optional
  std::vector<std::string> members; // of an enumeration
  double minimum = 0, maximum = 0;  // where hasMinimum / hasMaximum
  bool hasMinimum = false, hasMaximum = false;
  bool eachClass = false;   // numbers: one for each class or label of the target
  bool oneForAll = false;   // with eachClass: a number alone, or a list of one, stands for all
  bool decides = false;     // of a head: how an answer is decided, which no program knows, so that it may change when the weights are final
  std::int64_t classes = 0; // of a head: it is for a target with so many classes; 0: with any
  std::vector<std::string> fitted; // decides: what stands in its place for what is fitted on dev, of decision_fits.h
  bool range = false;              // numbers: two, from the lesser to the greater
  bool whole = false;              // of a range: of whole numbers, which may be one and the same
  bool wholeText = false;          // of a tokenizer: with it tokens span words, so that none are cut from a list of words
  bool column = false;             // a string that names a column, with or without quotes
  bool className = false;          // a string that names a class or label of the target
  /// Of a path that may be a folder: the files of it that the plugin reads. `beside` are read too where the path is a file and they lie
  /// in its folder. Where both are empty, all that lies at the path counts.
  std::vector<std::string> files, beside;
  std::string help;
};

/// A number that a metric gives: `f1_{average}` names depend on parameters, in braces.
struct MetricResult {
  std::string name;
  bool higherIsBetter = true;
  double minimum = 0, maximum = 0; // what it cannot leave, where hasMinimum / hasMaximum
  bool hasMinimum = false, hasMaximum = false;
  std::string parameter, value; // given only where this enumeration parameter has this value; "": always
  std::string unless;           // not given where this optional parameter is; "": always
};

/// Where a split's metrics are not named, this is measured of answers with that target, in the order of `place`.
struct StandardMetric {
  std::string target;
  std::string decision; // "": or, beside those that are named as well, of answers that are decided by a parameter of that name
  double place = 0;
  std::string parameter, value; // of an enumeration parameter; "": all at their defaults
};

struct PluginManifest {
  std::string name, version, summary;
  PluginKind kind = PluginKind::tokenizer;
  int abiMajor = 0, abiMinor = 0;
  std::vector<PluginParameter> parameters; // the first may be given without its name
  bool fits = false;                       // needs a fit on train
  std::string input;                       // "vector" or "sequence", of a kind that has it
  std::vector<std::string> targets;        // what it predicts or judges: "class", "number", "set", "tags"
  std::vector<std::string> meanings;       // metric: what it is shown of an answer beside what means its target
  bool features = false;                   // metric: it is shown what flows into the learner that answers
  bool bringsLibraries = false;            // its library holds others: it goes with an artifact as it is
  bool keepsRecords = false;               // learner: it is shown texts and row numbers, and its state may hold records of train
  bool standard = false;                   // head: decodes what heads of the language answer for its target, and hints name it
  std::string scale;                       // head: the operator of features that stands on the number that it predicts; "": none does
  bool linearState = false;                // its state grows with the records
  std::vector<MetricResult> results;       // of a kind that gives numbers
  std::vector<StandardMetric> measured;    // of such a kind, `[[standard]]`
  std::string folder, library;             // absolute
  std::uint64_t textHash = 0;              // of the manifest's text

  const PluginParameter *find(std::string_view parameter) const;
  /// Whether `target` is one of the targets.
  bool takes(std::string_view target) const;
  /// Whether `meaning` is one of the meanings that it asks for.
  bool asksFor(std::string_view meaning) const;
  /// What it takes and gives, in words: "takes a vector, predicts a class"; "" where there is nothing to say.
  std::string purpose() const;
  /// The names of the metric's results for these parameter values, braces filled in.
  std::vector<MetricResult> resultsFor(const std::vector<PluginValue> &values) const;
};

/// Reads one manifest; the error names file, line and reason.
Result<PluginManifest> readPluginManifest(const std::string &path);

/// The same from text; `path` is the absolute path that it came from: messages, folder and library follow from it.
Result<PluginManifest> parsePluginManifest(std::string_view text, const std::string &path);

/// The folder of the plugins that come with the command, a folder each; "" where there is none.
std::string treePlugins();

/// All manifests below the plugin folders, by kind and name: PENSTOCK_PLUGINS (colon-separated), then `extra`, then the
/// folders `plugins` and `lib/penstock/plugins` beside the command's own folder (build/plugins for build/bin/penstock). A
/// plugin folder holds plugin.toml itself or has it one or two folders below. Of two plugins of one kind and name the one
/// found first counts. A manifest that cannot be read, or a folder that does not exist, is an error; where `problems` is
/// given it is left out and listed there.
Result<std::vector<PluginManifest>> findPlugins(const std::vector<std::string> &extra, std::vector<Status> *problems = nullptr);

} // namespace penstock
