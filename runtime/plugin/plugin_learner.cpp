#include "runtime/plugin/kind_functions.h"
#include "runtime/plugin/lent.h"
#include "runtime/plugin/plugin_through.h"

namespace penstock {

namespace {

// As much as the run folder's reader takes.
constexpr std::size_t maximumState = std::size_t{1} << 36;

/// The vectors of some records as a column, and beside it their texts.
class Features {
public:
  explicit Features(std::int64_t width) : schema({vectorField(width), textField()}), fields(schema) {}
  PenstockTable vector() const { return {1, sizeof(PenstockField), &fields[0]}; }
  PenstockTable vectorAndTexts() const { return fields.table(); }

  /// `texts` may be NULL.
  const PenstockColumns &of(std::int64_t records, const float *values, const PenstockString *texts, const std::int64_t *rows) {
    const void *const held[] = {values, texts};
    for (std::size_t i = 0; i < 2; ++i) {
      columns[i] = {};
      columns[i].struct_size = sizeof columns[i];
      columns[i].field = &fields[i];
      columns[i].rows = records;
      columns[i].values = held[i];
    }
    all = {sizeof all, records, {texts == nullptr ? 1 : 2, sizeof(PenstockColumn), columns}, rows, rows};
    return all;
  }
  const PenstockColumns &shown() const { return all; }
  void lendTo(Lent &lent) {
    lent.lendBytes(columns[0].values, static_cast<std::size_t>(all.records * schema[0].width) * sizeof(float));
    if (all.columns.count > 1) {
      lent.lendBytes(columns[1].values, static_cast<std::size_t>(all.records) * sizeof(PenstockString));
    }
    if (all.first_rows != nullptr) {
      lent.lend(all.first_rows, static_cast<std::size_t>(all.records));
      lent.lend(all.last_rows, static_cast<std::size_t>(all.records));
    }
  }

private:
  static ColumnField textField() {
    ColumnField made;
    made.name = made.meaning = "text";
    made.element = PENSTOCK_TEXT;
    return made;
  }
  Schema schema;
  SchemaView fields;
  PenstockColumn columns[2] = {};
  PenstockColumns all{};
};

class PluginLearnerFit final : public PluginFit<LearnerFit, PenstockLearner> {
public:
  PluginLearnerFit(Bound bound, void *fit, std::unique_ptr<const LearningSpec> learning)
      : PluginFit(std::move(bound), fit, maximumState), learning(std::move(learning)), features(this->learning->width),
        targetFields(this->learning->targets) {}

  Status add(const LearnerExamples &examples) override {
    const bool keeps = this->bound.manifest->keepsRecords;
    features.of(examples.records, examples.values, keeps ? examples.texts : nullptr, keeps ? examples.rows : nullptr);
    PenstockExamples given{};
    given.struct_size = sizeof given;
    given.weights = examples.weights;
    Lent lent;
    features.lendTo(lent);
    if (!learning->targets.empty()) {
      given.targets = &targets.of(targetFields, *examples.targets, examples.records);
      targets.lendTo([&](auto *&pointer, std::size_t bytes) { lent.lendBytes(pointer, bytes); });
    }
    lent.lend(given.weights, static_cast<std::size_t>(examples.records));
    PENSTOCK_TRY(lent.make());
    given.features = &features.shown();
    PENSTOCK_TRY(give(&given));
    return lent.intact() ? Status::success() : bound.broken("fit_add", "it wrote into the records that it was given");
  }

private:
  std::unique_ptr<const LearningSpec> learning;
  Features features;
  SchemaView targetFields;
  ColumnsView targets;
};

class PluginLearner final : public Learner {
public:
  PluginLearner(Bound bound, void *self, std::int64_t width)
      : bound(std::move(bound)), functions(this->bound.table<PenstockLearner>()), self(self), width(width) {}
  ~PluginLearner() override {
    endObject(bound, "destroy", [&](PenstockError *) {
      functions->destroy(self);
      return 0;
    });
  }

  Status describe() {
    PENSTOCK_ASSIGN(fields, describedBy(bound, functions, self));
    return Status::success();
  }
  const Schema &schema() const override { return fields; }

  Status answer(const float *values, std::int64_t records, std::vector<Column> &columns) const override {
    if (records < 0 || width < 1 || columns.size() != fields.size()) {
      return internalError("values of no shape");
    }
    Features features(width);
    const PenstockColumns &given = features.of(records, values, nullptr, nullptr);
    ColumnCollector collector(fields, {}, records, columns);
    PENSTOCK_TRY(callWithSink(bound, "answer", &collector, collector.fault,
                              [&](PenstockError *error) { return functions->answer(self, &given, &collector.sink, error); }));
    return collector.finish(bound, "answer");
  }

private:
  Bound bound;
  const PenstockLearner *functions;
  void *self;
  std::int64_t width;
  Schema fields;
};

} // namespace

Result<std::unique_ptr<const Learner>> makeLearner(Bound bound, const LearningSpec &learning, const std::string &state) {
  const Features features(learning.width);
  const SchemaView targets(learning.targets);
  const PenstockLearning given = {sizeof given, features.vector(), targets.table()};
  PENSTOCK_ASSIGN(void *const self, makeObject(bound, "create", [&](void **made, PenstockError *error) {
                    return bound.table<PenstockLearner>()->create(bound.services, bound.parameters(), &given, stringView(state), made,
                                                                  error);
                  }));
  auto learner = std::make_unique<PluginLearner>(std::move(bound), self, learning.width);
  PENSTOCK_TRY(learner->describe());
  return std::unique_ptr<const Learner>(std::move(learner));
}

Result<std::unique_ptr<const Learner>> makeLearner(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                                   const LearningSpec &learning, const std::string &state) {
  PENSTOCK_ASSIGN(Bound bound, bindPlugin(host, plugin, PluginKind::learner, parametersJson));
  return makeLearner(std::move(bound), learning, state);
}

Result<std::unique_ptr<LearnerFit>> fitLearner(Bound bound, const LearningSpec &learning) {
  if (!bound.manifest->fits) {
    return std::unique_ptr<LearnerFit>();
  }
  const Features features(learning.width);
  const SchemaView targets(learning.targets);
  const PenstockLearning given = {sizeof given, bound.manifest->keepsRecords ? features.vectorAndTexts() : features.vector(),
                                  targets.table()};
  PENSTOCK_ASSIGN(void *const fit, makeObject(bound, "fit_begin", [&](void **made, PenstockError *error) {
                    return bound.table<PenstockLearner>()->fit_begin(bound.services, bound.parameters(), &given, made, error);
                  }));
  return std::unique_ptr<LearnerFit>(
      std::make_unique<PluginLearnerFit>(std::move(bound), fit, std::make_unique<const LearningSpec>(learning)));
}

Result<std::unique_ptr<LearnerFit>> fitLearner(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                               const LearningSpec &learning) {
  PENSTOCK_ASSIGN(Bound bound, bindPlugin(host, plugin, PluginKind::learner, parametersJson));
  return fitLearner(std::move(bound), learning);
}

namespace {

void check(const PluginManifest &manifest, const void *functions, Missing &missing) {
  const auto &f = *static_cast<const PenstockLearner *>(functions);
  missing.needFit(manifest, f);
  missing.need(f.create, "create");
  missing.need(f.destroy, "destroy");
  missing.need(f.describe, "describe");
  missing.need(f.answer, "answer");
}

Status tryLearner(const Bound &bound) {
  LearningSpec learning;
  learning.width = 3;
  if (!bound.manifest->targets.empty()) {
    learning.targets.push_back(targetField("target", bound.manifest->targets[0], {"a", "b"}));
  }
  std::vector<Column> targets = columnsOf(learning.targets);
  for (Column &column : targets) {
    column.rows = 2;
    std::visit(
        []<typename Held>(Held &values) {
          if constexpr (!std::is_same_v<Held, TextValues>) {
            values = {0, 1};
          }
        },
        column.values);
  }
  const float values[] = {1, 0, 0.5F, 0, 1, -0.5F};
  const std::int64_t rows[] = {1, 2};
  const PenstockString texts[] = {stringView("a pump leaks"), stringView("no leak")};
  std::string state;
  if (bound.manifest->fits) {
    TAKE_UNLESS_REFUSED(fit, fitLearner(bound, learning));
    TRY_UNLESS_REFUSED(fit->add({2, values, rows, texts, &targets, nullptr}));
    TAKE_UNLESS_REFUSED(fitted, fit->end());
    state = std::move(fitted);
  }
  TAKE_UNLESS_REFUSED(learner, makeLearner(bound, learning, state));
  std::vector<Column> columns = columnsOf(learner->schema());
  TRY_UNLESS_REFUSED(learner->answer(values, 1, columns));
  return Status::success();
}

const void *wrap(const void *functions) {
  static PenstockLearner table;
  table = copyOf<PenstockLearner>(functions);
  wrapFit(table);
  WRAP(table, PenstockLearner, create);
  WRAP(table, PenstockLearner, destroy);
  WRAP(table, PenstockLearner, describe);
  WRAP(table, PenstockLearner, answer);
  return &table;
}

} // namespace

static_assert(static_cast<int>(PluginKind::learner) == PENSTOCK_LEARNER);
const KindFunctions learnerFunctions = {PENSTOCK_SIZE_WITH(PenstockLearner, answer), check, tryLearner, wrap};

} // namespace penstock
