// Loads plugins and owns what they make. Every call is contained and every answer is judged (plugin_call.h): a plugin's own sentence is
// invalid input; a broken contract is an environment error that names the plugin, the entry and the library.
#pragma once

#include "runtime/abi/plugin_abi.h"
#include "runtime/base/plugin_manifest.h"
#include "runtime/base/status.h"
#include "runtime/plugin/columns.h"

#include <functional>
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

/// A plugin of an artifact: the text of its plugin.toml, and its code, which is linked into this process or lies in a library.
struct GivenPlugin {
  std::string manifest;
  PenstockPluginFunction entry = nullptr; // or
  std::string library;                    // a path; who gives it has judged it
};

/// Thread-safe. Libraries load on first use (Boost.DLL) and stay until the host goes.
class PluginHost {
public:
  /// Finds manifests; loads nothing. A manifest that cannot be read is left out and listed in `problems`.
  static Result<std::shared_ptr<PluginHost>> create(const std::vector<std::string> &extraFolders = {});
  /// The plugins of an artifact. Nothing is looked for in folders, and nothing loaded in a child process.
  static Result<std::shared_ptr<PluginHost>> given(const std::vector<GivenPlugin> &plugins);
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
    std::vector<PenstockString> given;       // the texts, as the boundary has them
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

/// A head in use: immutable, shared between threads.
class Head {
public:
  virtual ~Head() = default;
  /// The schema of its answer; empty where the names of the target's classes are not known.
  virtual const Schema &schema() const = 0;
  /// Lets the head add its operations to the model that `builder` builds. What it hands in is judged before the builder sees it; errors
  /// name what was wrong. `target` is 0 where only the answer is wanted.
  virtual Status build(const PenstockGraphBuilder &builder, PenstockNode input, PenstockNode target) const = 0;
  /// Appends what the answers of a batch say to `columns`, which are of the schema; `wanted` of the batch says which are filled.
  virtual Status decode(const PenstockDecodeBatch &batch, std::vector<Column> &columns) const = 0;
};
/// `target`: the column that it predicts; NULL where there is none.
Result<std::unique_ptr<const Head>> makeHead(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                             const ColumnField *target);

/// What a learner is bound to: the width of the vector that flows in, and the columns that it predicts.
struct LearningSpec {
  std::int64_t width = 0;
  Schema targets;
};

/// A learner in use: immutable, shared between threads.
class Learner {
public:
  virtual ~Learner() = default;
  virtual const Schema &schema() const = 0;
  /// Appends the answers of records, whose vectors are `values`, to `columns`, which are of the schema.
  virtual Status answer(const float *values, std::int64_t records, std::vector<Column> &columns) const = 0;
};
Result<std::unique_ptr<const Learner>> makeLearner(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                                   const LearningSpec &learning, const std::string &state);

/// Some records of train.
struct LearnerExamples {
  std::int64_t records = 0;
  const float *values = nullptr;                // records x width
  const std::int64_t *rows = nullptr;           // number of each record's row in its file, from 1, and
  const PenstockString *texts = nullptr;        // its text, for a learner that keeps records; NULL for others
  const std::vector<Column> *targets = nullptr; // a column each of LearningSpec.targets
  const double *weights = nullptr;              // NULL: 1 each
};

/// Fits a learner: show it all records of train in their order, then take the state.
class LearnerFit {
public:
  virtual ~LearnerFit() = default;
  virtual Status add(const LearnerExamples &examples) = 0;
  virtual Result<std::string> end() = 0;
};
/// NULL for a learner that needs no fit.
Result<std::unique_ptr<LearnerFit>> fitLearner(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                               const LearningSpec &learning);

/// What a metric judges: some fields of an answer, and the column of its target, whose classes are first those of train and then those
/// that only the judged data have.
struct JudgingSpec {
  Schema answers;
  ColumnField gold;
  Schema features;                 // what flows into a learner; empty of other answers
  std::string whose = "an answer"; // "the answer of the head `classify`"
};

/// Some records to judge: columns of the fields of a JudgingSpec.
struct JudgedRecords {
  std::int64_t records = 0;
  const std::vector<Column> *answers = nullptr;
  const Column *gold = nullptr;
  const std::vector<Column> *features = nullptr; // NULL where there are none
  const double *weights = nullptr;               // NULL: 1 each
};

/// A metric in use. It is shown those fields of the answer that mean what its target does, and those that its manifest asks for.
class Metric {
public:
  virtual ~Metric() = default;
  /// Those fields of the answer: places in JudgingSpec.answers.
  virtual const std::vector<int> &fields() const = 0;
  virtual Status add(const JudgedRecords &records) = 0;
  struct Values {
    std::vector<std::pair<std::string, double>> values;
    std::string text;
  };
  virtual Result<Values> result() const = 0;
  /// The state as bytes, and back into a metric that was made of the same.
  virtual Result<std::string> save() const = 0;
  virtual Status load(const std::string &state) = 0;
  virtual Status merge(const Metric &other) = 0;
};
/// Why a metric cannot judge an answer: "metric `accuracy` judges classes, the target has none"; "" where it can. What the answer means as
/// its target has the form of the target, and classes that the target's begin with; probabilities are wide and of f32 or f64.
std::string whyNotJudged(const PluginManifest &metric, const JudgingSpec &judging);
/// `judging` lives as long as the metric. An answer that means nothing of what the metric judges is an error.
Result<std::unique_ptr<Metric>> makeMetric(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                           const JudgingSpec &judging);

/// Rows that a source gave, and what was wrong with others.
struct SourceRows {
  std::int64_t rows = 0;
  std::vector<Column> columns;     // of the selected fields
  std::vector<std::int64_t> lines; // on which each row begins; empty: those are its number
  struct Problem {
    std::int64_t before = 0; // how many of the rows stand before it
    std::int64_t line = 0, column = 0;
    std::string sentence;
    bool last = false; // nothing behind it can be read
  };
  std::vector<Problem> problems; // in their order
};

/// A file that a source reads. Used by one thread at a time.
class SourceReader {
public:
  virtual ~SourceReader() = default;
  /// The columns; none where the head of the file has a mistake, which next() gives.
  virtual const Schema &schema() const = 0;
  /// Which of them rows have, each once. Call before next().
  virtual Status select(const std::vector<int> &fields) = 0;
  /// Replaces `rows` by the next ones, whose memory is used again; false at the end.
  virtual Result<bool> next(SourceRows &rows) = 0;
};

/// Gives up to `size` bytes; 0 at the end.
using ReadBytes = std::function<Result<std::size_t>(char *into, std::size_t size)>;

/// A source in use: immutable, shared between threads.
class Source {
public:
  virtual ~Source() = default;
  /// Begins to read a file, and reads its head. A failure of `read` is the failure of the call that read.
  virtual Result<std::unique_ptr<SourceReader>> open(ReadBytes read) const = 0;
};
Result<std::shared_ptr<const Source>> makeSource(PluginHost &host, const std::string &plugin, const std::string &parametersJson);

} // namespace penstock
