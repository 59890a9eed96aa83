#include "runtime/plugin/lent.h"
#include "runtime/plugin/plugin_bound.h"

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

} // namespace penstock
