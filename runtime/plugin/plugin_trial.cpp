#include "runtime/plugin/plugin_trial.h"

#include "runtime/plugin/plugin_arguments.h"
#include "runtime/plugin/plugin_bound.h"

namespace penstock {

namespace {

/// A plugin may refuse what it is tried with; only a broken contract is a verdict.
bool refused(const Status &status) { return status.code() == ErrorCode::invalidInput; }

#define TRY_UNLESS_REFUSED(expression)                                                                                                     \
  do {                                                                                                                                     \
    if (Status tried = (expression); !tried.ok()) {                                                                                        \
      return refused(tried) ? Status::success() : tried;                                                                                   \
    }                                                                                                                                      \
  } while (false)
#define TAKE_UNLESS_REFUSED(target, expression)                                                                                            \
  auto target##Result = (expression);                                                                                                      \
  TRY_UNLESS_REFUSED(target##Result.status());                                                                                             \
  auto target = std::move(target##Result).value()

Status tryTokenizer(const Bound &bound) {
  const std::vector<std::string_view> texts = {"a pump leaks", "no leak, 2 words"};
  std::string state;
  if (bound.manifest->fits) {
    TAKE_UNLESS_REFUSED(fit, fitTokenizer(bound));
    TRY_UNLESS_REFUSED(fit->add(texts));
    TAKE_UNLESS_REFUSED(fitted, fit->end());
    state = std::move(fitted);
  }
  TAKE_UNLESS_REFUSED(tokenizer, makeTokenizer(bound, state));
  TAKE_UNLESS_REFUSED(unknown, tokenizer->token(tokenizer->unknownId()));
  Tokenizer::Tokens tokens;
  TRY_UNLESS_REFUSED(tokenizer->encode(texts, -1, true, tokens));
  TRY_UNLESS_REFUSED(tokenizer->encode(texts, 1, false, tokens));
  return Status::success();
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

/// A builder that takes every operation.
struct Recorder {
  bool sequence = false;
  PenstockNode next = 3;
  PenstockGraphBuilder builder{};
  explicit Recorder(bool sequence) : sequence(sequence) {
    builder.struct_size = sizeof builder;
    builder.context = this;
    builder.op = [](void *context, PenstockString, const PenstockNode *, std::int32_t, const PenstockAttribute *, std::int32_t) {
      return static_cast<Recorder *>(context)->next++;
    };
    builder.parameter = [](void *context, PenstockString, const std::int64_t *, std::int32_t, std::int32_t, double, std::int32_t) {
      return static_cast<Recorder *>(context)->next++;
    };
    builder.width = [](void *, PenstockNode) -> std::int64_t { return 5; };
    builder.is_sequence = [](void *context, PenstockNode) -> std::int32_t { return static_cast<Recorder *>(context)->sequence ? 1 : 0; };
    builder.fail = [](void *, PenstockString) {};
  }
};

Status tryHead(const Bound &bound) {
  const bool number = bound.manifest->takes("number"), tags = bound.manifest->takes("tags");
  const std::vector<std::string> classes = number ? std::vector<std::string>() : std::vector<std::string>{"B-a", "I-a", "O"};
  const auto width = static_cast<std::int64_t>(number ? 1 : classes.size());
  for (const PenstockNode target : {PenstockNode{2}, PenstockNode{0}}) {
    Recorder recorder(bound.manifest->input == "sequence");
    PenstockHeadGraph graph{sizeof graph, 0, 0};
    TRY_UNLESS_REFUSED(buildHead(bound, recorder.builder, 1, target, number ? 0 : width, graph));
  }
  const float answer[] = {0.5F, 0.25F, 0.25F};
  const std::int32_t rowOffsets[] = {0, 1}, rowWord[] = {0};
  const std::int64_t wordOffsets[] = {0, 1}, starts[] = {0};
  const PenstockString word = stringView("pump");
  const PenstockTaggedRecords tagged = {sizeof tagged, 1, rowOffsets, rowWord, wordOffsets, &word, &word, starts};
  TAKE_UNLESS_REFUSED(answers, decodeAnswers(bound, classes, answer, 1, width, tags ? &tagged : nullptr));
  return Status::success();
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

#undef TRY_UNLESS_REFUSED
#undef TAKE_UNLESS_REFUSED

} // namespace

Status tryPlugin(const PluginManifest &manifest, const PenstockPlugin &plugin, const PenstockHost *services) {
  Result<std::unique_ptr<PluginArguments>> arguments = makeArguments(manifest, "");
  if (!arguments.ok()) {
    return Status::success(); // it needs parameters
  }
  Bound bound;
  bound.arguments = std::move(arguments).value();
  bound.manifest = &manifest;
  bound.label = labelOf(manifest);
  bound.services = services;
  bound.functions = plugin.functions;
  switch (manifest.kind) {
  case PluginKind::tokenizer:
    return tryTokenizer(bound);
  case PluginKind::head:
    return tryHead(bound);
  case PluginKind::metric:
    return tryMetric(bound);
  case PluginKind::learner:
    return tryLearner(bound);
  }
  return Status::success();
}

} // namespace penstock
