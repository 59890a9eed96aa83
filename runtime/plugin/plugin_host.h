// Loads plugins and owns what they make. Every call is contained and every answer is judged (plugin_call.h): a plugin's own sentence is
// invalid input; a broken contract is an environment error that names the plugin, the entry and the library.
#pragma once

#include "runtime/abi/plugin_abi.h"
#include "runtime/base/plugin_manifest.h"
#include "runtime/base/status.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock {

/// Parameter values in the manifest's order, kept with the C view that plugins receive.
class PluginArguments {
public:
  virtual ~PluginArguments() = default;
  virtual const PenstockParameters *view() const = 0;
  /// The same values, for PluginManifest::resultsFor.
  virtual const std::vector<PluginValue> &values() const = 0;
};

/// Thread-safe. Libraries load on first use (Boost.DLL) and stay until the host goes.
class PluginHost {
public:
  /// Finds manifests; loads nothing. A manifest that cannot be read is left out and listed in `problems`.
  static Result<std::shared_ptr<PluginHost>> create(const std::vector<std::string> &extraFolders = {});
  virtual ~PluginHost() = default;

  virtual const std::vector<PluginManifest> &manifests() const = 0;
  virtual const std::vector<Status> &problems() const = 0;
  /// An error names the unknown plugin, with the nearest name.
  virtual Result<const PluginManifest *> manifest(const std::string &name, PluginKind kind) const = 0;
  /// Loads the library, once. One that this machine has not seen is first loaded in a child process (plugin_check.h): if it
  /// crashes, hangs or disagrees with its manifest, that is the error, now and on later calls.
  virtual Result<const PenstockPlugin *> load(const std::string &name, PluginKind kind) = 0;
  /// What every plugin function takes: memory and log.
  virtual const PenstockHost *services() const = 0;
  /// Checks and completes parameters given as JSON text, e.g. `{"min_count": 2}`; empty text is no parameters. A relative
  /// path is taken from the working folder.
  virtual Result<std::unique_ptr<PluginArguments>> arguments(const PluginManifest &manifest, const std::string &json) const = 0;
};

/// A tokenizer made from parameters and fitted state; immutable, shared between threads.
class Tokenizer {
public:
  virtual ~Tokenizer() = default;
  virtual std::int64_t vocabularySize() const = 0;
  virtual std::int32_t unknownId() const = 0;
  virtual Result<std::string> token(std::int32_t id) const = 0;
  /// Ids that stand around the tokens of a record: prefix A suffix, or of two texts prefix A separator B suffix.
  struct SpecialTokens {
    std::vector<std::int32_t> prefix, separator, suffix;
  };
  virtual const SpecialTokens &specialTokens() const {
    static const SpecialTokens none;
    return none;
  }
  /// The tokens of many texts, one after another.
  struct Tokens {
    std::vector<std::int32_t> ids;
    std::vector<std::uint32_t> starts, ends; // bytes of the text; empty where they were not wanted
    std::vector<std::int64_t> offsets;       // texts + 1: text t has tokens [offsets[t], offsets[t + 1])
    void clear() {
      ids.clear();
      starts.clear();
      ends.clear();
      offsets.assign(1, 0);
    }
  };
  /// Encodes valid UTF-8 texts without special tokens into `tokens`, whose memory is used again; `maxTokens`, of one text,
  /// < 0: no limit.
  virtual Status encode(std::span<const std::string_view> texts, std::int64_t maxTokens, bool withPlaces, Tokens &tokens) const = 0;
};

/// What a plugin gave is checked: ids below the vocabulary's size, offsets inside the text and in order, every text answered.
/// Makes a tokenizer. `state` is empty for one that needs no fit.
Result<std::shared_ptr<const Tokenizer>> makeTokenizer(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                                       const std::string &state);

/// What a plugin remarked while it read what a call names: a warning at the parameter, "" for the call itself.
struct PluginNote {
  std::string parameter, text;
};

/// Fits a tokenizer: add texts in record order, then take the state.
class TokenizerFit {
public:
  virtual ~TokenizerFit() = default;
  /// What was remarked when the fit began.
  virtual const std::vector<PluginNote> &notes() const {
    static const std::vector<PluginNote> none;
    return none;
  }
  virtual Status add(const std::vector<std::string_view> &texts) = 0;
  virtual Result<std::string> end() = 0;
};
Result<std::unique_ptr<TokenizerFit>> fitTokenizer(PluginHost &host, const std::string &plugin, const std::string &parametersJson);

/// A learner in use: immutable, shared between threads.
class Learner {
public:
  virtual ~Learner() = default;
  /// A JSON text for each record.
  virtual Result<std::vector<std::string>> answer(const float *values, std::int64_t records, std::int64_t width) const = 0;
};
Result<std::unique_ptr<const Learner>> makeLearner(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                                   const std::string &state);

/// Fits a learner: show it all records of train in their order, then take the state.
class LearnerFit {
public:
  virtual ~LearnerFit() = default;
  virtual Status add(const PenstockFitRecords &records) = 0;
  virtual Result<std::string> end() = 0;
};
/// NULL for a learner that needs no fit.
Result<std::unique_ptr<LearnerFit>> fitLearner(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                               std::int64_t width);

/// A metric in use.
class Metric {
public:
  virtual ~Metric() = default;
  virtual Status add(const PenstockPredictions &predictions) = 0;
  struct Values {
    std::vector<std::pair<std::string, double>> values;
    std::string text;
  };
  virtual Result<Values> result() const = 0;
};
/// What the classes of predictions mean: `names` are those of train (empty for a regression), `others` those that only the data to
/// judge have. Predictions count on from the one to the other, their sets have a column for each of both, their scores one for each of
/// `names`.
struct JudgedClasses {
  JudgedClasses() = default;
  JudgedClasses(std::vector<std::string> names, std::vector<std::string> others = {}, bool ofTags = false)
      : names(std::move(names)), others(std::move(others)), ofTags(ofTags) {}
  std::size_t count() const { return names.size() + others.size(); }

  std::vector<std::string> names, others;
  bool ofTags = false;
};
/// A plugin that knows nothing of `others` sees them as -1; of tags it has them as classes.
Result<std::unique_ptr<Metric>> makeMetric(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                           const JudgedClasses &classes);

/// Lets a head add its operations to the model that `builder` builds. What it hands in is judged before the builder sees it; errors
/// name what was wrong.
Status buildHead(PluginHost &host, const std::string &plugin, const std::string &parametersJson, const PenstockGraphBuilder &builder,
                 PenstockNode input, PenstockNode target, std::int64_t classes, PenstockHeadGraph &graph);

/// The JSON texts that a head makes of the answer tensor (records x width, or rows x width where `tagged` says what the rows
/// are). `classes` are empty for a number.
Result<std::vector<std::string>> decodeAnswers(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                               const std::vector<std::string> &classes, const float *answer, std::int64_t records,
                                               std::int64_t width, const PenstockTaggedRecords *tagged = nullptr);

} // namespace penstock
