#include "runtime/plugin/kind_functions.h"
#include "runtime/plugin/lent.h"
#include "runtime/plugin/plugin_through.h"

namespace penstock {

namespace {

// As much as the run folder's reader takes.
constexpr std::size_t maximumState = std::size_t{1} << 36;

class PluginLearnerFit final : public PluginFit<LearnerFit, PenstockLearner> {
public:
  using PluginFit::PluginFit;
  Status add(const PenstockFitRecords &records) override {
    Lent lent;
    PenstockFitRecords given = records;
    lent.lend(given.values, static_cast<std::size_t>(records.records * records.width));
    lent.lend(given.rows, static_cast<std::size_t>(records.records));
    lent.lend(given.texts, static_cast<std::size_t>(records.records));
    PENSTOCK_TRY(lent.make());
    PENSTOCK_TRY(give(&given));
    return lent.intact() ? Status::success() : bound.broken("fit_add", "it wrote into the records that it was given");
  }
};

class PluginLearner final : public Learner {
public:
  PluginLearner(Bound bound, void *self) : bound(std::move(bound)), functions(this->bound.table<PenstockLearner>()), self(self) {}
  ~PluginLearner() override {
    endObject(bound, "destroy", [&](PenstockError *) {
      functions->destroy(self);
      return 0;
    });
  }

  Result<std::vector<std::string>> answer(const float *values, std::int64_t records, std::int64_t width) const override {
    if (records < 0 || width < 1) {
      return internalError("values of no shape");
    }
    AnswerCollector collector(records);
    PENSTOCK_TRY(callWithSink(bound, "answer", &collector, collector.fault, [&](PenstockError *error) {
      return functions->answer(self, values, records, width, &collector.sink, error);
    }));
    return collector.take(bound, "answer");
  }

private:
  Bound bound;
  const PenstockLearner *functions;
  void *self;
};

} // namespace

Result<std::unique_ptr<const Learner>> makeLearner(Bound bound, const std::string &state) {
  PENSTOCK_ASSIGN(void *const self, makeObject(bound, "create", [&](void **made, PenstockError *error) {
                    return bound.table<PenstockLearner>()->create(bound.services, bound.parameters(), stringView(state), made, error);
                  }));
  return std::unique_ptr<const Learner>(std::make_unique<PluginLearner>(std::move(bound), self));
}

Result<std::unique_ptr<const Learner>> makeLearner(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                                   const std::string &state) {
  PENSTOCK_ASSIGN(Bound bound, bindPlugin(host, plugin, PluginKind::learner, parametersJson));
  return makeLearner(std::move(bound), state);
}

Result<std::unique_ptr<LearnerFit>> fitLearner(Bound bound, std::int64_t width) {
  if (!bound.manifest->fits) {
    return std::unique_ptr<LearnerFit>();
  }
  PENSTOCK_ASSIGN(void *const fit, makeObject(bound, "fit_begin", [&](void **made, PenstockError *error) {
                    return bound.table<PenstockLearner>()->fit_begin(bound.services, bound.parameters(), width, made, error);
                  }));
  return std::unique_ptr<LearnerFit>(std::make_unique<PluginLearnerFit>(std::move(bound), fit, maximumState));
}

Result<std::unique_ptr<LearnerFit>> fitLearner(PluginHost &host, const std::string &plugin, const std::string &parametersJson,
                                               std::int64_t width) {
  PENSTOCK_ASSIGN(Bound bound, bindPlugin(host, plugin, PluginKind::learner, parametersJson));
  return fitLearner(std::move(bound), width);
}

namespace {

void check(const PluginManifest &manifest, const void *functions, Missing &missing) {
  const auto &f = *static_cast<const PenstockLearner *>(functions);
  missing.needFit(manifest, f);
  missing.need(f.create, "create");
  missing.need(f.destroy, "destroy");
  missing.need(f.answer, "answer");
}

Status tryLearner(const Bound &bound) {
  constexpr std::int64_t width = 3;
  const float values[] = {1, 0, 0.5F, 0, 1, -0.5F};
  const std::int64_t rows[] = {1, 2};
  const PenstockString texts[] = {stringView("a pump leaks"), stringView("no leak")};
  std::string state;
  if (bound.manifest->fits) {
    TAKE_UNLESS_REFUSED(fit, fitLearner(bound, width));
    TRY_UNLESS_REFUSED(fit->add({sizeof(PenstockFitRecords), 2, width, values, rows, texts}));
    TAKE_UNLESS_REFUSED(fitted, fit->end());
    state = std::move(fitted);
  }
  TAKE_UNLESS_REFUSED(learner, makeLearner(bound, state));
  TAKE_UNLESS_REFUSED(answers, learner->answer(values, 1, width));
  return Status::success();
}

const void *wrap(const void *functions) {
  static PenstockLearner table;
  table = copyOf<PenstockLearner>(functions);
  wrapFit(table);
  WRAP(table, PenstockLearner, create);
  WRAP(table, PenstockLearner, destroy);
  WRAP(table, PenstockLearner, answer);
  return &table;
}

} // namespace

static_assert(static_cast<int>(PluginKind::learner) == PENSTOCK_LEARNER);
const KindFunctions learnerFunctions = {offsetof(PenstockLearner, answer) + sizeof(PenstockLearner::answer), check, tryLearner, wrap};

} // namespace penstock
