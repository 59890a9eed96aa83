#include "runtime/plugin/kind_functions.h"
#include "runtime/plugin/lent.h"
#include "runtime/plugin/plugin_through.h"

#include "runtime/base/printable.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <set>

namespace penstock {

namespace {

// Limits of what a plugin may ask the host to keep; docs/design/plugins.md lists them.
constexpr std::size_t maximumName = 65536, maximumNumbers = std::size_t{1} << 22, maximumReport = std::size_t{1} << 26,
                      maximumState = std::size_t{1} << 36;

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
    const bool isOfClass = bracket != 0 && bracket != std::string_view::npos && name.back() == ']';
    const bool known = std::any_of(declared.begin(), declared.end(), [&](const MetricResult &one) { return one.name == name; });
    if (known || !isOfClass) {
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
  PluginMetric(Bound bound, const JudgingSpec &judging, std::vector<int> shown)
      : bound(std::move(bound)), functions(this->bound.table<PenstockMetric>()), judging(judging), shown(std::move(shown)),
        answerSchema(chosen()), answerFields(answerSchema), goldField(std::span<const ColumnField>(&judging.gold, 1)),
        featureFields(this->bound.manifest->features ? std::span<const ColumnField>(judging.features) : std::span<const ColumnField>()) {}
  ~PluginMetric() override {
    if (self != nullptr) {
      endObject(bound, "destroy", [&](PenstockError *) {
        functions->destroy(self);
        return 0;
      });
    }
  }

  Status create() {
    const PenstockJudging given = {sizeof given, answerFields.table(), &goldField[0], featureFields.table()};
    PENSTOCK_ASSIGN(self, makeObject(bound, "create", [&](void **made, PenstockError *error) {
                      return functions->create(bound.services, bound.parameters(), &given, made, error);
                    }));
    return Status::success();
  }

  const std::vector<int> &fields() const override { return shown; }

  Status add(const JudgedRecords &records) override {
    ColumnsView answers, gold, features;
    const std::vector<Column> goldColumns = {*records.gold};
    PenstockJudged given{};
    given.struct_size = sizeof given;
    answers.of(answerFields, *records.answers, records.records, &shown);
    gold.of(goldField, goldColumns, records.records);
    given.weights = records.weights;
    Lent lent;
    const auto lend = [&](auto *&pointer, std::size_t bytes) { lent.lendBytes(pointer, bytes); };
    answers.lendTo(lend);
    gold.lendTo(lend);
    if (featureFields.table().count > 0) {
      features.of(featureFields, *records.features, records.records);
      features.lendTo(lend);
      given.features = &features.get();
    }
    lent.lend(given.weights, static_cast<std::size_t>(records.records));
    PENSTOCK_TRY(lent.make());
    given.answers = &answers.get();
    given.gold = &gold.first();
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

  Result<std::string> save() const override {
    ByteCollector state(maximumState);
    PENSTOCK_TRY(
        callWithSink(bound, "save", &state, state.fault, [&](PenstockError *error) { return functions->save(self, &state.sink, error); }));
    return std::move(state.bytes);
  }
  Status load(const std::string &state) override {
    return bound.call("load", [&](PenstockError *error) { return functions->load(self, stringView(state), error); });
  }
  Status merge(const Metric &other) override {
    const auto *const same = dynamic_cast<const PluginMetric *>(&other);
    if (same == nullptr || same->functions != functions) {
      return internalError("two metrics that are not the same were merged");
    }
    return bound.call("merge", [&](PenstockError *error) { return functions->merge(self, same->self, error); });
  }

private:
  Schema chosen() const {
    Schema made;
    for (const int field : shown) {
      made.push_back(judging.answers[static_cast<std::size_t>(field)]);
    }
    return made;
  }

  Bound bound;
  const PenstockMetric *functions;
  const JudgingSpec &judging;
  std::vector<int> shown; // fields of the answer
  Schema answerSchema;
  SchemaView answerFields, goldField, featureFields;
  void *self = nullptr;
};

} // namespace

namespace {

/// Whether a metric is shown a field of an answer.
bool isShown(const PluginManifest &manifest, const ColumnField &field, const ColumnField &gold) {
  return !field.meaning.empty() && (field.meaning == gold.meaning || manifest.asksFor(field.meaning));
}

/// Why a field cannot be read as what it means, in words that follow its name; "" where it can.
std::string whyWrongForm(const ColumnField &field, const ColumnField &gold) {
  if (field.meaning == "probabilities") {
    const bool right = field.shape == PENSTOCK_WIDE && (field.element == PENSTOCK_F32 || field.element == PENSTOCK_F64);
    return right ? "" : "is not made of an f32 or f64 a class";
  }
  if (field.meaning != gold.meaning) {
    return {}; // of an open list: only the metric knows
  }
  if (field.shape != gold.shape) {
    return gold.isList() ? "is no list" : "is not one value a record";
  }
  if (field.meaning == "number") {
    const auto numbers = {PENSTOCK_F32 + 0, PENSTOCK_F64 + 0, PENSTOCK_I32 + 0, PENSTOCK_I64 + 0};
    return std::find(numbers.begin(), numbers.end(), field.element) != numbers.end() ? "" : "is not made of numbers";
  }
  if (field.element != PENSTOCK_CLASS) {
    return "is not made of classes";
  }
  for (std::size_t i = 0; i < field.classes.size(); ++i) {
    if (i == gold.classes.size()) {
      return fmt::format("has {} classes where the target has {}", field.classes.size(), i);
    }
    if (field.classes[i] != gold.classes[i]) {
      return fmt::format("has the class `{}` where the target has `{}`", printable(field.classes[i], 80), printable(gold.classes[i], 80));
    }
  }
  return {};
}

} // namespace

std::string whyNotJudged(const PluginManifest &manifest, const JudgingSpec &judging) {
  const std::string &meaning = judging.gold.meaning, name = printable(manifest.name);
  // Metrics of classes judge tags word by word.
  if (!manifest.takes(meaning) && !(meaning == "tags" && manifest.takes("class"))) {
    return fmt::format("metric `{}` judges {}, the target has none", name, fmt::join(judgedBy(manifest), " or "));
  }
  std::vector<std::string> needed = manifest.meanings;
  needed.push_back(meaning);
  for (const std::string &one : needed) {
    if (fieldThatMeans(judging.answers, one) < 0) {
      return fmt::format("metric `{}` judges what an answer means as `{}`, and this answer has no such field", name, printable(one));
    }
  }
  for (const ColumnField &field : judging.answers) {
    if (isShown(manifest, field, judging.gold)) {
      if (const std::string reason = whyWrongForm(field, judging.gold); !reason.empty()) {
        return fmt::format("metric `{}` cannot judge {}: its field `{}` means `{}` and {}", name, judging.whose, printable(field.name, 80),
                           printable(field.meaning, 80), reason);
      }
    }
  }
  if (manifest.features && judging.features.empty()) {
    return fmt::format("metric `{}` judges by the vector that flows into a learner, and this answer is of a head", name);
  }
  return {};
}

Result<std::unique_ptr<Metric>> makeMetric(Bound bound, const JudgingSpec &judging) {
  const PluginManifest &manifest = *bound.manifest;
  if (const std::string reason = whyNotJudged(manifest, judging); !reason.empty()) {
    return invalidInput(reason);
  }
  std::vector<int> shown;
  for (std::size_t i = 0; i < judging.answers.size(); ++i) {
    if (isShown(manifest, judging.answers[i], judging.gold)) {
      shown.push_back(static_cast<int>(i));
    }
  }
  auto metric = std::make_unique<PluginMetric>(std::move(bound), judging, std::move(shown));
  PENSTOCK_TRY(metric->create());
  return std::unique_ptr<Metric>(std::move(metric));
}

Result<std::unique_ptr<Metric>> makeMetric(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                           const JudgingSpec &judging) {
  PENSTOCK_ASSIGN(Bound bound, bindPlugin(host, plugin, PluginKind::metric, parametersJson));
  return makeMetric(std::move(bound), judging);
}

namespace {

void check(const PluginManifest &, const void *functions, Missing &missing) {
  const auto &f = *static_cast<const PenstockMetric *>(functions);
  missing.need(f.create, "create");
  missing.need(f.destroy, "destroy");
  missing.need(f.add, "add");
  missing.need(f.merge, "merge");
  missing.need(f.result, "result");
  missing.need(f.save, "save");
  missing.need(f.load, "load");
}

/// One record of the target `kind`, predicted wrong.
Status judgeOne(const Bound &bound, const std::string &kind) {
  JudgingSpec judging;
  const std::vector<std::string> names = kind == "tags" ? std::vector<std::string>{"B-a", "O"} : std::vector<std::string>{"a", "b"};
  judging.gold = targetField("target", kind, names);
  judging.answers = {targetField("answer", kind, names)};
  if (kind != "number") {
    judging.answers.push_back(probabilitiesField(names));
  }
  judging.features = {vectorField(2)};
  std::vector<Column> answers = columnsOf(judging.answers), features = columnsOf(judging.features);
  Column gold(judging.gold);
  const auto put = [&](Column &column, int value) {
    std::visit(
        [&]<typename Held>(Held &values) {
          if constexpr (!std::is_same_v<Held, TextValues>) {
            values.push_back(static_cast<typename Held::value_type>(value));
          }
        },
        column.values);
    if (column.offsets.empty()) {
      ++column.rows;
    } else {
      column.endRow();
    }
  };
  put(gold, 0);
  put(answers[0], 1);
  for (Column *const wide : {&features[0], answers.size() > 1 ? &answers[1] : nullptr}) {
    if (wide != nullptr) {
      wide->of<float>() = {0.25F, 0.75F};
      wide->rows = 1;
    }
  }
  TAKE_UNLESS_REFUSED(metric, makeMetric(bound, judging));
  TRY_UNLESS_REFUSED(metric->add({1, &answers, &gold, &features, nullptr}));
  TAKE_UNLESS_REFUSED(values, metric->result());
  TAKE_UNLESS_REFUSED(state, metric->save());
  TAKE_UNLESS_REFUSED(other, makeMetric(bound, judging));
  TRY_UNLESS_REFUSED(other->load(state));
  TRY_UNLESS_REFUSED(metric->merge(*other));
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
  WRAP(table, PenstockMetric, destroy);
  WRAP(table, PenstockMetric, add);
  WRAP(table, PenstockMetric, merge);
  WRAP(table, PenstockMetric, result);
  WRAP(table, PenstockMetric, save);
  WRAP(table, PenstockMetric, load);
  return &table;
}

} // namespace

static_assert(static_cast<int>(PluginKind::metric) == PENSTOCK_METRIC);
const KindFunctions metricFunctions = {PENSTOCK_SIZE_WITH(PenstockMetric, load), check, tryMetric, wrap};

} // namespace penstock
