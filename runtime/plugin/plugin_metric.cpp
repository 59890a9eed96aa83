#include "runtime/plugin/kind_functions.h"
#include "runtime/plugin/lent.h"
#include "runtime/plugin/narrowed_predictions.h"
#include "runtime/plugin/plugin_through.h"

#include "runtime/base/printable.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>

namespace penstock {

namespace {

// Limits of what a plugin may ask the host to keep; docs/design/plugins.md lists them.
constexpr std::size_t maximumName = 65536, maximumNumbers = std::size_t{1} << 22, maximumReport = std::size_t{1} << 26;

/// What a metric judges, in words.
std::vector<std::string> judgedBy(const PluginManifest &manifest) {
  std::vector<std::string> words;
  for (const std::string &target : manifest.targets) {
    words.push_back(target == "class" ? "classes" : target == "tags" ? target : target + "s");
  }
  return words;
}

/// Takes the numbers and the report of a metric. Numbers have the names that the manifest declares, each once; further ones are of
/// one class or of a pair, `name[class]`, which can never be taken for a declared one.
struct ResultCollector {
  ResultCollector(std::vector<MetricResult> declared, Metric::Values &values) : declared(std::move(declared)), values(values) {
    sink.struct_size = sizeof sink;
    sink.context = this;
    sink.value = [](void *context, PenstockString name, double value) -> std::int32_t {
      auto *const self = ActiveSink::find<ResultCollector>(context);
      return self == nullptr ? 1 : self->fault.guard([&] { return self->accept(name, value); });
    };
    sink.text = [](void *context, PenstockString text) -> std::int32_t {
      auto *const self = ActiveSink::find<ResultCollector>(context);
      return self == nullptr ? 1 : self->fault.guard([&] { return self->accept(text); });
    };
  }
  ResultCollector(const ResultCollector &) = delete;
  ResultCollector &operator=(const ResultCollector &) = delete;

  std::int32_t accept(PenstockString given, double value) {
    std::string reason;
    if (!judgeText(given, maximumName, reason)) {
      return fault.say(fmt::format("the name of a result {}", reason));
    }
    const std::string_view name(given.data, given.size);
    if (values.values.size() == maximumNumbers) {
      return fault.say(fmt::format("it gives more than {} numbers", maximumNumbers));
    }
    const std::size_t bracket = name.find('[');
    if (bracket == 0 || bracket == std::string_view::npos || name.back() != ']') {
      const bool known = std::any_of(declared.begin(), declared.end(), [&](const MetricResult &one) { return one.name == name; });
      if (!known) {
        return fault.say(fmt::format("it gives a result `{}`, which its manifest does not declare", printable(name, 100)));
      }
      if (!seen.emplace(name).second) {
        return fault.say(fmt::format("it gives the result `{}` twice", printable(name, 100)));
      }
    }
    values.values.emplace_back(std::string(name), value);
    return 0;
  }

  std::int32_t accept(PenstockString text) {
    std::string reason;
    if (!judgeText(text, maximumReport - values.text.size(), reason)) {
      return fault.say(fmt::format("its report {}", reason));
    }
    values.text.append(text.data, text.size);
    return 0;
  }

  std::vector<MetricResult> declared;
  Metric::Values &values;
  std::set<std::string, std::less<>> seen;
  PenstockMetricSink sink{};
  Fault fault;
};

class PluginMetric final : public Metric {
public:
  /// `narrow`: the plugin is shown the first `trained` of the classes only.
  PluginMetric(Bound bound, void *self, std::int64_t classCount, std::int64_t trained, bool narrow)
      : bound(std::move(bound)), functions(this->bound.table<PenstockMetric>()), self(self), classCount(classCount),
        shownClasses(narrow ? trained : classCount) {
    if (narrow) {
      narrowed.emplace(trained, classCount);
    }
  }
  ~PluginMetric() override {
    endObject(bound, "destroy", [&](PenstockError *) {
      functions->destroy(self);
      return 0;
    });
  }

  Status add(const PenstockPredictions &predictions) override {
    PENSTOCK_TRY(check(predictions));
    PenstockPredictions given = narrowed ? narrowed->of(predictions) : predictions;
    Lent lent;
    const auto records = static_cast<std::size_t>(given.records), scores = records * static_cast<std::size_t>(given.width),
               labels = records * static_cast<std::size_t>(shownClasses);
    lent.lend(given.gold, records);
    lent.lend(given.predicted, records);
    lent.lend(given.scores, scores);
    lent.lend(given.exact_scores, scores);
    lent.lend(given.gold_numbers, records);
    lent.lend(given.predicted_numbers, records);
    lent.lend(given.weights, records);
    lent.lend(given.gold_sets, labels);
    lent.lend(given.predicted_sets, labels);
    lent.lend(given.offsets, given.offsets == nullptr ? 0 : static_cast<std::size_t>(given.sequences) + 1);
    PENSTOCK_TRY(lent.make());
    PENSTOCK_TRY(bound.call("add", [&](PenstockError *error) { return functions->add(self, &given, error); }));
    return lent.intact() ? Status::success() : bound.broken("add", "it wrote into the batch that it was given to judge");
  }

  Result<Values> result() const override {
    Values values;
    ResultCollector collector(bound.manifest->resultsFor(bound.arguments->values()), values);
    PENSTOCK_TRY(callWithSink(bound, "result", &collector, collector.fault,
                              [&](PenstockError *error) { return functions->result(self, &collector.sink, error); }));
    for (const MetricResult &one : collector.declared) {
      if (!collector.seen.contains(one.name)) {
        return bound.broken("result", fmt::format("it gave no `{}`, which its manifest declares", one.name));
      }
    }
    return values;
  }

private:
  Status check(const PenstockPredictions &predictions) const {
    if (predictions.records < 0 || predictions.width < 0 || (predictions.offsets != nullptr && predictions.sequences < 0)) {
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
  std::int64_t classCount, shownClasses;
  std::optional<NarrowedPredictions> narrowed;
};

} // namespace

Result<std::unique_ptr<Metric>> makeMetric(Bound bound, const JudgedClasses &classes) {
  if (!bound.manifest->takes("number") && classes.names.empty()) {
    return invalidInput(
        fmt::format("metric `{}` judges {}, the target has none", bound.label->name, fmt::join(judgedBy(*bound.manifest), " or ")));
  }
  std::vector<std::string> own = classes.names; // others read the names, too
  own.insert(own.end(), classes.others.begin(), classes.others.end());
  const std::vector<PenstockString> views = stringViews(own);
  const auto all = static_cast<std::int64_t>(views.size()), trained = static_cast<std::int64_t>(classes.names.size());
  const auto *const functions = bound.table<PenstockMetric>();
  const bool toldAll = PENSTOCK_HAS(functions, PenstockMetric, create_for) && functions->create_for != nullptr;
  const bool narrow = !toldAll && !classes.ofTags && all > trained;
  PENSTOCK_ASSIGN(void *const self, makeObject(bound, toldAll ? "create_for" : "create", [&](void **made, PenstockError *error) {
                    return toldAll
                               ? functions->create_for(bound.services, bound.parameters(), views.data(), all, trained, made, error)
                               : functions->create(bound.services, bound.parameters(), views.data(), narrow ? trained : all, made, error);
                  }));
  return std::unique_ptr<Metric>(std::make_unique<PluginMetric>(std::move(bound), self, all, trained, narrow));
}

Result<std::unique_ptr<Metric>> makeMetric(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                           const JudgedClasses &classes) {
  PENSTOCK_ASSIGN(Bound bound, bindPlugin(host, plugin, PluginKind::metric, parametersJson));
  return makeMetric(std::move(bound), classes);
}

namespace {

void check(const PluginManifest &, const void *functions, Missing &missing) {
  const auto &f = *static_cast<const PenstockMetric *>(functions);
  missing.need(f.create, "create");
  missing.need(f.destroy, "destroy");
  missing.need(f.add, "add");
  missing.need(f.merge, "merge");
  missing.need(f.result, "result");
}

/// One record of the target `kind`, predicted wrong.
Status judgeOne(const Bound &bound, const std::string &kind) {
  const std::vector<std::string> classes = kind == "number" ? std::vector<std::string>()
                                           : kind == "tags" ? std::vector<std::string>{"B-a", "O"}
                                                            : std::vector<std::string>{"a", "b"};
  TAKE_UNLESS_REFUSED(metric, makeMetric(bound, classes));
  const std::int32_t gold[] = {0}, predicted[] = {1};
  const float scores[] = {0.25F, 0.75F};
  const double number[] = {0.75}, other[] = {0.5};
  const std::uint8_t set[] = {1, 0}, otherSet[] = {0, 1};
  const std::int64_t offsets[] = {0, 1};
  PenstockPredictions one{};
  one.struct_size = sizeof one;
  one.records = 1;
  if (kind == "number") {
    one.gold_numbers = number;
    one.predicted_numbers = other;
  } else if (kind == "tags") {
    one.gold = gold;
    one.predicted = predicted;
    one.sequences = 1;
    one.offsets = offsets;
  } else {
    one.width = 2;
    one.scores = scores;
    if (kind == "class") {
      one.gold = gold;
      one.predicted = predicted;
    } else {
      one.gold_sets = set;
      one.predicted_sets = otherSet;
    }
  }
  TRY_UNLESS_REFUSED(metric->add(one));
  TAKE_UNLESS_REFUSED(values, metric->result());
  return Status::success();
}

Status tryMetric(const Bound &bound) {
  for (const std::string &kind : bound.manifest->targets) {
    PENSTOCK_TRY(judgeOne(bound, kind));
  }
  return Status::success();
}

const void *wrap(const void *functions) {
  static PenstockMetric table;
  table = copyOf<PenstockMetric>(functions);
  WRAP(table, PenstockMetric, create);
  WRAP(table, PenstockMetric, create_for);
  WRAP(table, PenstockMetric, destroy);
  WRAP(table, PenstockMetric, add);
  WRAP(table, PenstockMetric, merge);
  WRAP(table, PenstockMetric, result);
  return &table;
}

} // namespace

static_assert(static_cast<int>(PluginKind::metric) == PENSTOCK_METRIC);
const KindFunctions metricFunctions = {offsetof(PenstockMetric, create_for), check, tryMetric, wrap};

} // namespace penstock
