#include "runtime/plugin/narrowed_predictions.h"
#include "runtime/plugin/plugin_host.h"

#include "runtime/base/printable.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstddef>
#include <optional>

namespace penstock {
namespace {

PenstockString stringView(std::string_view text) { return {text.data(), text.size()}; }

std::vector<PenstockString> stringViews(std::span<const std::string_view> texts) {
  std::vector<PenstockString> views;
  views.reserve(texts.size());
  for (const std::string_view text : texts) {
    views.push_back(stringView(text));
  }
  return views;
}

std::vector<PenstockString> stringViews(const std::vector<std::string> &texts) {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  return stringViews(std::span<const std::string_view>(views));
}

/// What a plugin said when it failed.
Status saidBy(const std::string &plugin, PenstockError &error) {
  error.text[sizeof error.text - 1] = '\0';
  return invalidInput(fmt::format("`{}`: {}", plugin, error.text[0] != '\0' ? error.text : "it failed without a reason"));
}

Status wrongAnswer(const std::string &plugin, const std::string &reason) {
  return invalidInput(fmt::format("plugin `{}` broke its contract: {}; please tell its author", plugin, reason));
}

/// What a metric judges, in words.
std::vector<std::string> judgedBy(const PluginManifest &manifest) {
  std::vector<std::string> words;
  for (const std::string &target : manifest.targets) {
    words.push_back(target == "class" ? "classes" : target == "tags" ? target : target + "s");
  }
  return words;
}

/// What everything made by a plugin keeps: the host, so that the library stays, and the parameters.
struct Bound {
  std::shared_ptr<const PluginArguments> arguments;
  const PluginManifest *manifest = nullptr;
  const void *functions = nullptr;
};

Result<Bound> bind(PluginHost &host, const std::string &plugin, PluginKind kind, const std::string &parametersJson) {
  Bound bound;
  PENSTOCK_ASSIGN(bound.manifest, host.manifest(plugin, kind));
  PENSTOCK_ASSIGN(std::unique_ptr<PluginArguments> arguments, host.arguments(*bound.manifest, parametersJson));
  bound.arguments = std::move(arguments);
  PENSTOCK_ASSIGN(const PenstockPlugin *library, host.load(plugin, kind));
  bound.functions = library->functions;
  return bound;
}

/// Appends what a plugin writes.
PenstockByteSink byteSink(std::string &bytes) {
  return {sizeof(PenstockByteSink), &bytes, [](void *context, const void *more, std::size_t size) -> std::int32_t {
            static_cast<std::string *>(context)->append(static_cast<const char *>(more), size);
            return 0;
          }};
}

/// Collects what `encode` gives and checks it.
struct TokenCollector {
  std::span<const std::string_view> texts;
  Tokenizer::Tokens &tokens;
  std::int64_t vocabularySize = 0, maxTokens = -1;
  bool withPlaces = false;
  std::size_t next = 0;
  std::string fault;

  bool accept(std::int64_t index, const std::int32_t *ids, const std::uint32_t *starts, const std::uint32_t *ends, std::int64_t count) {
    if (index != static_cast<std::int64_t>(next) || next >= texts.size()) {
      fault = "texts were answered out of order";
      return false;
    }
    if (count < 0 || (count > 0 && (ids == nullptr || (withPlaces && (starts == nullptr || ends == nullptr)))) ||
        (maxTokens >= 0 && count > maxTokens)) {
      fault = "the number of tokens is wrong";
      return false;
    }
    std::int32_t low = 0, high = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      low = std::min(low, ids[i]);
      high = std::max(high, ids[i]);
    }
    if (low < 0 || (count > 0 && high >= vocabularySize)) {
      fault = fmt::format("id {} is outside its vocabulary of {}", low < 0 ? low : high, vocabularySize);
      return false;
    }
    tokens.ids.insert(tokens.ids.end(), ids, ids + count);
    tokens.offsets.push_back(static_cast<std::int64_t>(tokens.ids.size()));
    const std::size_t size = texts[next++].size();
    return !withPlaces || acceptPlaces(starts, ends, count, size);
  }

  bool acceptPlaces(const std::uint32_t *starts, const std::uint32_t *ends, std::int64_t count, std::size_t size) {
    for (std::int64_t i = 0; i < count; ++i) {
      if (starts[i] > ends[i] || ends[i] > size) {
        fault = fmt::format("the offsets [{}, {}) do not lie in a text of {} bytes", starts[i], ends[i], size);
        return false;
      }
    }
    tokens.starts.insert(tokens.starts.end(), starts, starts + count);
    tokens.ends.insert(tokens.ends.end(), ends, ends + count);
    return true;
  }
};

class PluginTokenizer final : public Tokenizer {
public:
  PluginTokenizer(Bound bound, void *self)
      : bound(std::move(bound)), functions(static_cast<const PenstockTokenizer *>(this->bound.functions)), self(self) {}
  ~PluginTokenizer() override { functions->destroy(self); }

  std::int64_t vocabularySize() const override { return functions->vocabulary_size(self); }
  std::int32_t unknownId() const override { return functions->unknown_id(self); }

  Result<std::string> token(std::int32_t id) const override {
    PenstockError error{};
    PenstockString text{};
    if (id < 0 || id >= vocabularySize()) {
      return invalidInput(fmt::format("`{}` has no token {}: its vocabulary has {}", name(), id, vocabularySize()));
    }
    if (functions->token(self, id, &text, &error) != 0) {
      return saidBy(name(), error);
    }
    return std::string(text.data, text.size);
  }

  Status encode(std::span<const std::string_view> texts, std::int64_t maxTokens, bool withPlaces, Tokens &tokens) const override {
    for (const std::string_view text : texts) {
      if (text.size() > UINT32_MAX) {
        return invalidInput("a text has more than 4 GiB; split it into records");
      }
    }
    tokens.clear();
    TokenCollector collector{texts, tokens, vocabularySize(), maxTokens, withPlaces};
    PenstockTokenSink sink{};
    sink.struct_size = sizeof sink;
    sink.context = &collector;
    sink.text = [](void *context, std::int64_t index, const std::int32_t *ids, const std::uint32_t *starts, const std::uint32_t *ends,
                   std::int64_t count) -> std::int32_t {
      return static_cast<TokenCollector *>(context)->accept(index, ids, starts, ends, count) ? 0 : 1;
    };
    sink.ids_only = withPlaces ? 0 : 1;
    const std::vector<PenstockString> views = stringViews(texts);
    PenstockError error{};
    const std::int32_t failed = functions->encode(self, views.data(), static_cast<std::int64_t>(views.size()), maxTokens, &sink, &error);
    if (!collector.fault.empty()) {
      return wrongAnswer(name(), collector.fault);
    }
    if (failed != 0) {
      return saidBy(name(), error);
    }
    if (collector.next != texts.size()) {
      return wrongAnswer(name(), fmt::format("{} of {} texts were answered", collector.next, texts.size()));
    }
    return Status::success();
  }

  const SpecialTokens &specialTokens() const override { return special; }

  /// Asks for the special tokens, once.
  Status readSpecialTokens() {
    if (functions->struct_size < offsetof(PenstockTokenizer, special_tokens) + sizeof functions->special_tokens ||
        functions->special_tokens == nullptr) {
      return Status::success();
    }
    PenstockSpecialTokens given{};
    given.struct_size = sizeof given;
    PenstockError error{};
    if (functions->special_tokens(self, &given, &error) != 0) {
      return saidBy(name(), error);
    }
    const auto take = [&](const std::int32_t *ids, std::int32_t count, std::vector<std::int32_t> &into) {
      if (count < 0 || (count > 0 && ids == nullptr)) {
        return false;
      }
      into.assign(ids, ids + count);
      return std::all_of(into.begin(), into.end(), [&](std::int32_t id) { return id >= 0 && id < vocabularySize(); });
    };
    if (!take(given.prefix, given.prefix_count, special.prefix) || !take(given.separator, given.separator_count, special.separator) ||
        !take(given.suffix, given.suffix_count, special.suffix)) {
      return wrongAnswer(name(), "a special token is not in its vocabulary");
    }
    return Status::success();
  }

  const std::string &name() const { return bound.manifest->name; }

private:
  Bound bound;
  const PenstockTokenizer *functions;
  void *self;
  SpecialTokens special;
};

/// A fit under way: of `Functions` of the ABI for the host's `Interface`.
template <typename Interface, typename Functions> class PluginFit : public Interface {
public:
  PluginFit(Bound bound, void *fit) : bound(std::move(bound)), functions(static_cast<const Functions *>(this->bound.functions)), fit(fit) {}
  ~PluginFit() override {
    if (fit != nullptr) {
      functions->fit_abandon(fit);
    }
  }

  Result<std::string> end() override {
    if (fit == nullptr) {
      return internalError("a fit was ended twice");
    }
    std::string state;
    const PenstockByteSink sink = byteSink(state);
    PenstockError error{};
    if (functions->fit_end(std::exchange(fit, nullptr), &sink, &error) != 0) {
      return saidBy(bound.manifest->name, error);
    }
    return state;
  }

protected:
  template <typename... Given> Status give(Given... given) {
    if (fit == nullptr) {
      return internalError("more was added to a fit that has ended");
    }
    PenstockError error{};
    return functions->fit_add(fit, given..., &error) == 0 ? Status::success() : saidBy(bound.manifest->name, error);
  }

private:
  Bound bound;
  const Functions *functions;
  void *fit;
};

/// The host's services with an ear for remarks.
class Remarks {
public:
  explicit Remarks(const PenstockHost &services) : lent(services) {
    lent.struct_size = sizeof lent;
    lent.context = this;
    lent.remark = [](void *self, PenstockString parameter, PenstockString message) {
      static_cast<Remarks *>(self)->add(parameter, message);
    };
  }
  const PenstockHost *services() const { return &lent; }
  std::vector<PluginNote> take() { return std::move(notes); }

private:
  void add(PenstockString parameter, PenstockString message) {
    static constexpr std::size_t most = 100, longest = 4096;
    if (notes.size() < most) {
      const auto text = [](PenstockString given) {
        return given.data == nullptr ? std::string() : std::string(given.data, std::min(given.size, longest));
      };
      notes.push_back({text(parameter), printable(text(message))});
    }
  }

  PenstockHost lent;
  std::vector<PluginNote> notes;
};

class PluginTokenizerFit final : public PluginFit<TokenizerFit, PenstockTokenizer> {
public:
  PluginTokenizerFit(Bound bound, void *fit, std::vector<PluginNote> notes) : PluginFit(std::move(bound), fit), heard(std::move(notes)) {}
  const std::vector<PluginNote> &notes() const override { return heard; }
  Status add(const std::vector<std::string_view> &texts) override {
    const std::vector<PenstockString> views = stringViews(texts);
    return give(views.data(), static_cast<std::int64_t>(views.size()));
  }

private:
  std::vector<PluginNote> heard;
};

class PluginLearnerFit final : public PluginFit<LearnerFit, PenstockLearner> {
public:
  using PluginFit::PluginFit;
  Status add(const PenstockFitRecords &records) override { return give(&records); }
};

/// Takes the answers of records, in any order, and misses none.
struct AnswerCollector {
  explicit AnswerCollector(std::int64_t records) : answers(static_cast<std::size_t>(records)) {
    sink.struct_size = sizeof sink;
    sink.context = this;
    sink.answer = [](void *context, std::int64_t record, PenstockString json) -> std::int32_t {
      auto &held = static_cast<AnswerCollector *>(context)->answers;
      if (record < 0 || record >= static_cast<std::int64_t>(held.size())) {
        return 1;
      }
      held[static_cast<std::size_t>(record)].emplace(json.data, json.size);
      return 0;
    };
  }
  AnswerCollector(const AnswerCollector &) = delete;
  AnswerCollector &operator=(const AnswerCollector &) = delete;

  Result<std::vector<std::string>> take(const std::string &plugin) {
    std::vector<std::string> texts;
    for (std::optional<std::string> &text : answers) {
      if (!text) {
        return wrongAnswer(plugin, fmt::format("it gave no answer for record {}", texts.size()));
      }
      texts.push_back(std::move(*text));
    }
    return texts;
  }

  PenstockAnswerSink sink{};

private:
  std::vector<std::optional<std::string>> answers;
};

class PluginLearner final : public Learner {
public:
  PluginLearner(Bound bound, void *self)
      : bound(std::move(bound)), functions(static_cast<const PenstockLearner *>(this->bound.functions)), self(self) {}
  ~PluginLearner() override { functions->destroy(self); }

  Result<std::vector<std::string>> answer(const float *values, std::int64_t records, std::int64_t width) const override {
    if (records < 0 || width < 1) {
      return internalError("values of no shape");
    }
    AnswerCollector collector(records);
    PenstockError error{};
    if (functions->answer(self, values, records, width, &collector.sink, &error) != 0) {
      return saidBy(bound.manifest->name, error);
    }
    return collector.take(bound.manifest->name);
  }

private:
  Bound bound;
  const PenstockLearner *functions;
  void *self;
};

class PluginMetric final : public Metric {
public:
  /// `narrow`: the plugin is shown the first `trained` of the classes only.
  PluginMetric(Bound bound, void *self, std::int64_t classCount, std::int64_t trained, bool narrow)
      : bound(std::move(bound)), functions(static_cast<const PenstockMetric *>(this->bound.functions)), self(self), classCount(classCount) {
    if (narrow) {
      narrowed.emplace(trained, classCount);
    }
  }
  ~PluginMetric() override { functions->destroy(self); }

  Status add(const PenstockPredictions &predictions) override {
    PENSTOCK_TRY(check(predictions));
    PenstockError error{};
    const PenstockPredictions &shown = narrowed ? narrowed->of(predictions) : predictions;
    if (functions->add(self, &shown, &error) != 0) {
      return saidBy(bound.manifest->name, error);
    }
    return {};
  }

  Result<Values> result() const override {
    Values values;
    PenstockMetricSink sink{};
    sink.struct_size = sizeof sink;
    sink.context = &values;
    sink.value = [](void *context, PenstockString name, double value) -> std::int32_t {
      static_cast<Values *>(context)->values.emplace_back(std::string(name.data, name.size), value);
      return 0;
    };
    sink.text = [](void *context, PenstockString text) -> std::int32_t {
      static_cast<Values *>(context)->text.append(text.data, text.size);
      return 0;
    };
    PenstockError error{};
    if (functions->result(self, &sink, &error) != 0) {
      return saidBy(bound.manifest->name, error);
    }
    for (const MetricResult &declared : bound.manifest->resultsFor(bound.arguments->values())) {
      bool found = false;
      for (const auto &[name, value] : values.values) {
        found = found || name == declared.name;
      }
      if (!found) {
        return wrongAnswer(bound.manifest->name, fmt::format("it gave no `{}`, which its manifest declares", declared.name));
      }
    }
    return values;
  }

private:
  Status check(const PenstockPredictions &predictions) const {
    if (predictions.records < 0) {
      return internalError("a negative number of predictions");
    }
    for (const std::int32_t *classes : {predictions.gold, predictions.predicted}) {
      for (std::int64_t i = 0; classes != nullptr && i < predictions.records; ++i) {
        if (classes[i] < -1 || classes[i] >= classCount) {
          return invalidInput(fmt::format("class {} of record {} is not one of the {} classes", classes[i], i, classCount));
        }
      }
    }
    const PluginManifest &manifest = *bound.manifest;
    const bool judged =
        (manifest.takes("class") && predictions.gold != nullptr && predictions.predicted != nullptr) ||
        (manifest.takes("tags") && predictions.gold != nullptr && predictions.predicted != nullptr && predictions.offsets != nullptr) ||
        (manifest.takes("set") && predictions.gold_sets != nullptr && predictions.predicted_sets != nullptr) ||
        (manifest.takes("number") && predictions.gold_numbers != nullptr && predictions.predicted_numbers != nullptr);
    if (!judged && predictions.records > 0) {
      return invalidInput(
          fmt::format("metric `{}` judges {}, these predictions have none", manifest.name, fmt::join(judgedBy(manifest), " or ")));
    }
    return {};
  }

  Bound bound;
  const PenstockMetric *functions;
  void *self;
  std::int64_t classCount;
  std::optional<NarrowedPredictions> narrowed;
};

} // namespace

Result<std::shared_ptr<const Tokenizer>> makeTokenizer(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                                       const std::string &state) {
  PENSTOCK_ASSIGN(Bound bound, bind(host, plugin, PluginKind::tokenizer, parametersJson));
  const auto *functions = static_cast<const PenstockTokenizer *>(bound.functions);
  void *self = nullptr;
  PenstockError error{};
  if (functions->create(host.services(), bound.arguments->view(), stringView(state), &self, &error) != 0) {
    return saidBy(plugin, error);
  }
  auto made = std::make_shared<PluginTokenizer>(std::move(bound), self);
  if (made->vocabularySize() < 1 || made->vocabularySize() > INT32_MAX || made->unknownId() < 0 ||
      made->unknownId() >= made->vocabularySize()) {
    return wrongAnswer(plugin,
                       fmt::format("its unknown id {} does not lie in its vocabulary of {}", made->unknownId(), made->vocabularySize()));
  }
  PENSTOCK_TRY(made->readSpecialTokens());
  return std::shared_ptr<const Tokenizer>(std::move(made));
}

Result<std::unique_ptr<TokenizerFit>> fitTokenizer(PluginHost &host, const std::string &plugin, const std::string &parametersJson) {
  PENSTOCK_ASSIGN(Bound bound, bind(host, plugin, PluginKind::tokenizer, parametersJson));
  if (!bound.manifest->fits) {
    return invalidInput(fmt::format("tokenizer `{}` has nothing to fit", plugin));
  }
  const auto *functions = static_cast<const PenstockTokenizer *>(bound.functions);
  void *fit = nullptr;
  PenstockError error{};
  Remarks remarks(*host.services());
  if (functions->fit_begin(remarks.services(), bound.arguments->view(), &fit, &error) != 0) {
    return saidBy(plugin, error);
  }
  return std::unique_ptr<TokenizerFit>(std::make_unique<PluginTokenizerFit>(std::move(bound), fit, remarks.take()));
}

Result<std::unique_ptr<Metric>> makeMetric(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                           const JudgedClasses &classes) {
  PENSTOCK_ASSIGN(Bound bound, bind(host, plugin, PluginKind::metric, parametersJson));
  if (!bound.manifest->takes("number") && classes.names.empty()) {
    return invalidInput(fmt::format("metric `{}` judges {}, the target has none", plugin, fmt::join(judgedBy(*bound.manifest), " or ")));
  }
  const auto *functions = static_cast<const PenstockMetric *>(bound.functions);
  std::vector<PenstockString> views = stringViews(classes.names);
  const std::vector<PenstockString> others = stringViews(classes.others);
  views.insert(views.end(), others.begin(), others.end());
  const auto all = static_cast<std::int64_t>(views.size()), trained = static_cast<std::int64_t>(classes.names.size());
  const bool toldAll =
      functions->struct_size >= offsetof(PenstockMetric, create_for) + sizeof(functions->create_for) && functions->create_for != nullptr;
  const bool narrow = !toldAll && !classes.ofTags && all > trained;
  void *self = nullptr;
  PenstockError error{};
  const std::int32_t failed =
      toldAll ? functions->create_for(host.services(), bound.arguments->view(), views.data(), all, trained, &self, &error)
              : functions->create(host.services(), bound.arguments->view(), views.data(), narrow ? trained : all, &self, &error);
  if (failed != 0) {
    return saidBy(plugin, error);
  }
  return std::unique_ptr<Metric>(std::make_unique<PluginMetric>(std::move(bound), self, all, trained, narrow));
}

Result<std::unique_ptr<const Learner>> makeLearner(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                                   const std::string &state) {
  PENSTOCK_ASSIGN(Bound bound, bind(host, plugin, PluginKind::learner, parametersJson));
  const auto *functions = static_cast<const PenstockLearner *>(bound.functions);
  void *self = nullptr;
  PenstockError error{};
  if (functions->create(host.services(), bound.arguments->view(), stringView(state), &self, &error) != 0) {
    return saidBy(plugin, error);
  }
  return std::unique_ptr<const Learner>(std::make_unique<PluginLearner>(std::move(bound), self));
}

Result<std::unique_ptr<LearnerFit>> fitLearner(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                               std::int64_t width) {
  PENSTOCK_ASSIGN(Bound bound, bind(host, plugin, PluginKind::learner, parametersJson));
  if (!bound.manifest->fits) {
    return std::unique_ptr<LearnerFit>();
  }
  const auto *functions = static_cast<const PenstockLearner *>(bound.functions);
  void *fit = nullptr;
  PenstockError error{};
  if (functions->fit_begin(host.services(), bound.arguments->view(), width, &fit, &error) != 0) {
    return saidBy(plugin, error);
  }
  return std::unique_ptr<LearnerFit>(std::make_unique<PluginLearnerFit>(std::move(bound), fit));
}

Result<std::vector<std::string>> decodeAnswers(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                               const std::vector<std::string> &classes, const float *answer, std::int64_t records,
                                               std::int64_t width, const PenstockTaggedRecords *tagged) {
  PENSTOCK_ASSIGN(Bound bound, bind(host, plugin, PluginKind::head, parametersJson));
  if (records < 0 || width < 1) {
    return internalError("answers of no shape");
  }
  AnswerCollector collector(records);
  const auto *functions = static_cast<const PenstockHead *>(bound.functions);
  const std::vector<PenstockString> views = stringViews(classes);
  const bool decodesTags = functions->struct_size >= sizeof(PenstockHead) && functions->decode_tags != nullptr;
  if (decodesTags != (tagged != nullptr)) {
    return invalidInput(fmt::format("head `{}` {}", plugin,
                                    decodesTags ? "decodes tags, and this answer has one row a record"
                                                : "decodes one row a record, and this answer has tags"));
  }
  PenstockError error{};
  const auto count = static_cast<std::int64_t>(views.size());
  const std::int32_t failed = decodesTags ? functions->decode_tags(host.services(), bound.arguments->view(), views.data(), count, answer,
                                                                   width, tagged, &collector.sink, &error)
                                          : functions->decode(host.services(), bound.arguments->view(), views.data(), count, answer,
                                                              records, width, &collector.sink, &error);
  if (failed != 0) {
    return saidBy(plugin, error);
  }
  return collector.take(plugin);
}

} // namespace penstock
