// The pipeline's value: every field is flipped, and the key of programs, the check of a resumed run and `--set` on a finished one answer as
// its role says. The fields come from the lists of the structs, so a new one is tested by itself.
#include "compiler/driver/program_key.h"
#include "runtime/base/fields_json.h"
#include "runtime/exec/run_config.h"
#include "runtime/exec/run_folder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <set>

namespace penstock {
namespace {

void flip(bool &value) { value = !value; }
void flip(int &value) { value += 3; }
void flip(std::int64_t &value) { value += 3; }
void flip(std::uint64_t &value) { value += 3; }
void flip(double &value) { value += 0.375; }
void flip(std::string &value) { value += "x"; }
void flip(std::vector<std::string> &value) { value.push_back("x"); }
void flip(std::vector<std::vector<std::string>> &value) { value.push_back({"x"}); }
void flip(NamedValues &value) { value["x"] = 0.5; }
template <typename E>
  requires std::is_enum_v<E>
void flip(E &value) {
  value = static_cast<E>((static_cast<std::size_t>(value) + 1) % std::size(wordsOf(value)));
}
template <typename T> void flip(std::optional<T> &value) { value ? value.reset() : void(value.emplace()); }

/// Gives every list of structs two elements, so that every field is there.
template <typename T> void fill(T &value) {
  if constexpr (Described<T>) {
    eachField<T>([&](const auto &one) { fill(value.*one.member); });
  } else if constexpr (IsVector<T>::value) {
    if constexpr (Described<typename PartOf<T>::type>) {
      value.resize(2);
      for (auto &one : value) {
        fill(one);
      }
    }
  }
}

using Visit = std::function<void(const std::string &path, Role role, const std::string &key, const std::function<void()> &flip)>;

std::string joined(const std::string &a, const std::string &b) { return a.empty() || b.empty() ? a + b : a + "." + b; }

/// Calls `visit` for every field below `value` that is no struct. `*` in a key becomes a name.
template <typename T> void visitFields(T &value, const std::string &path, const std::string &key, const Visit &visit) {
  eachField<T>([&]<typename B, typename M>(const Field<B, M> &one) {
    M &member = value.*one.member;
    const std::string setting = std::string(one.setting) == "*" ? "some" : one.setting;
    std::string below = joined(key, setting);
    for (const std::string end : {".**", ".*"}) {
      below = below.ends_with(end) ? below.substr(0, below.size() - end.size()) + ".some" : below;
    }
    if constexpr (Described<M>) {
      visitFields(member, joined(path, one.name), below, visit);
    } else if constexpr (Described<typename PartOf<M>::type>) {
      visitFields(member.back(), joined(path, one.name) + "[1]", below, visit);
    } else {
      visit(joined(path, one.name), one.role, below, [&member] { flip(member); });
    }
  });
}

frontend::TypedPipeline pipelineOf(const PipelineValue &value) {
  frontend::TypedPipeline pipeline;
  static_cast<PipelineValue &>(pipeline) = value;
  return pipeline;
}

RunConfig configOf(const PipelineValue &value) {
  RunConfig config;
  static_cast<PipelineValue &>(config) = value;
  return config;
}

TEST(PipelineValue, EveryFieldAnswersAsItsRoleSays) {
  PipelineValue base;
  fill(base);
  PipelineValue value = base;
  std::map<Role, int> seen;
  visitFields(value, "", "", [&](const std::string &path, Role role, const std::string &, const std::function<void()> &flip) {
    value = base;
    flip();
    ++seen[role];
    ASSERT_NE(textOf(jsonOf(value)), textOf(jsonOf(base))) << path;
    const bool compiled = role == Role::code && path != "target.level"; // which the driver resolves, and keys itself
    EXPECT_EQ(canonicalProgram(pipelineOf(value)) != canonicalProgram(pipelineOf(base)), compiled) << path;
    EXPECT_EQ(checkSamePipeline(configOf(base), configOf(value)).ok(), role == Role::place) << path;
    EXPECT_EQ(changesOf(configOf(base), configOf(value), fixedInAFinishedRun).empty(), role == Role::measurement || role == Role::place)
        << path;
    const Result<RunConfig> back = RunConfig::fromJson(configOf(value).toJson());
    ASSERT_TRUE(back.ok()) << path << ": " << back.status().message();
    EXPECT_EQ(back->toJson(), configOf(value).toJson()) << path;
    EXPECT_NE(back->toJson(), configOf(base).toJson()) << path;
  });
  EXPECT_EQ(seen.size(), 4u);
  EXPECT_EQ(seen.count(Role::ofItsFields), 0u) << "a field that is no struct decides something";
}

TEST(PipelineValue, NamesOfFieldsAreOnesOfTheirStruct) {
  PipelineValue value;
  fill(value);
  std::set<std::string> paths;
  visitFields(value, "", "", [&](const std::string &path, Role, const std::string &, const std::function<void()> &) {
    EXPECT_TRUE(paths.insert(path).second) << path;
  });
}

// What is compared in words: the key that a field gives in the resolved form has the field's role, also where two fields share one.
TEST(PipelineValue, KeysOfTheResolvedFormHaveTheRolesOfTheirFields) {
  PipelineValue value;
  fill(value);
  visitFields(value, "", "", [&](const std::string &path, Role role, const std::string &key, const std::function<void()> &) {
    // What decides an answer has the key of its head's parameter, and says itself what it is (ResolvedSpec::decides).
    if (key.find('.') != std::string::npos && path.find(".place") == std::string::npos && !path.ends_with(".decision")) {
      // Of several settings that give one field, where the struct itself has one.
      std::size_t other = key.find('|');
      other = other != std::string::npos && key[other - 1] == '.' ? key.find('|', key.rfind('.')) : other;
      const std::size_t last = key.rfind('.', other) + 1;
      EXPECT_EQ(decidedBy(key.substr(0, other)), role) << path << " as " << key;
      while (other != std::string::npos) {
        const std::size_t next = key.find('|', other + 1);
        EXPECT_EQ(decidedBy(key.substr(0, last) + key.substr(other + 1, next == std::string::npos ? next : next - other - 1)), role)
            << path << " as " << key;
        other = next;
      }
    }
  });
  using enum Role;
  const std::vector<std::pair<std::string, Role>> keys = {{"train.optimizer", code},
                                                          {"train.optimizer.lr", weights},
                                                          {"train.optimizer.beta1", code},
                                                          {"train.schedule.warmup", weights},
                                                          {"train.keep.patience", weights},
                                                          {"train.freeze", code}, // of the model
                                                          {"train.minimize", code},
                                                          {"data.source", measurement},
                                                          {"data.source.delimiter", measurement},
                                                          {"data.split.by", weights},
                                                          {"data.split.order", weights},
                                                          {"data.label", weights},
                                                          {"data.label.from", measurement},
                                                          {"data.cost.missing", weights},
                                                          {"features.tokens", weights},
                                                          {"features.tokens.words.min_count", weights},
                                                          {"evaluate.dev", measurement},
                                                          {"evaluate.confidence.level", measurement},
                                                          {"expect.test.answer.f1_macro", measurement},
                                                          {"target.precision", code},
                                                          {"target.threads", place},
                                                          {"epochs", measurement}}; // a param
  for (const auto &[key, role] : keys) {
    EXPECT_EQ(decidedBy(key), role) << key;
  }
}

TEST(PipelineValue, AFieldAtItsDefaultIsInNoCanonicalText) {
  PipelineValue value;
  EXPECT_EQ(canonicalText(value, anyRole), "{}");
  value.metrics.resize(2);
  EXPECT_EQ(canonicalText(value, keysPrograms), "{}") << "how many metrics there are is measured";
  EXPECT_EQ(canonicalText(value, anyRole), R"({"metrics":[{},{}]})");
  value.train.batch = 13;
  EXPECT_EQ(canonicalText(value, Role::weights), R"({"train":{"batch":13}})");
}

TEST(PipelineValue, IdentityOfRecordsLeavesOutWhatIsKeyedByWhatLiesThere) {
  RecordsSpec records;
  records.sources.resize(1);
  records.features = {{"tokens", {"text"}, "", {{"clean"}, {"tokenize", "words"}}}};
  const std::string base = recordsIdentity(records);
  RecordsSpec other = records;
  other.sources[0].path = "/b/{split}.csv";
  other.fitted = "/run/fitted";
  other.features[0].steps[1].parameters = {{"vocab", std::string("/v.txt")}};
  EXPECT_EQ(recordsIdentity(other), base);
  other.features[0].steps[0].parameters = {{"lowercase", true}};
  EXPECT_NE(recordsIdentity(other), base);
}

TEST(PipelineValue, ReadsWhatIsAbsentAsItsDefaultAndRefusesTheRest) {
  const auto read = [](const char *text) { return readJson<PipelineValue>(FieldJson::parse(text, nullptr, false), "this"); };
  ASSERT_TRUE(read("{}").ok());
  EXPECT_EQ(read("{}")->train.batch, 32);
  EXPECT_EQ(read(R"({"train": {"batch": 13, "seed": 18446744073709551615}})")->train.seed, 18446744073709551615u);
  EXPECT_TRUE(std::isnan(read(R"({"confidence": {"level": null}})")->confidence.level));
  const std::vector<std::pair<const char *, std::string>> wrong = {
      {"[", "this is no JSON object"},
      {"[]", "this is no JSON object"},
      {R"({"train": 3})", "this holds what it should not at `train`"},
      {R"({"train": {"batch": 1.5}})", "this holds what it should not at `train.batch`"},
      {R"({"train": {"batch": 18446744073709551615}})", "this holds what it should not at `train.batch`"},
      {R"({"train": {"seed": -1}})", "this holds what it should not at `train.seed`"},
      {R"({"train": {"warmth": 1}})", "this holds what it should not at `train.warmth`"},
      {R"({"records": {"columns": [{}, {"type": "smell"}]}})", "this holds what it should not at `records.columns[1].type`"},
      {R"({"answers": [{"parameters": {"a": {}}}]})", "this holds what it should not at `answers[0].parameters.a`"},
      {R"({"title": null})", "this holds what it should not at `title`"}};
  for (const auto &[text, message] : wrong) {
    EXPECT_EQ(read(text).status().message(), message) << text;
    EXPECT_EQ(read(text).status().code(), ErrorCode::environment);
  }
}

TEST(PipelineValue, NumbersAndTextsSurviveJson) {
  PipelineValue value;
  fill(value);
  value.answers[0].parameters = {{"flag", false},
                                 {"count", std::int64_t{7}},
                                 {"share", 0.1},
                                 {"whole", 2.0},
                                 {"name", std::string("a\"\n")},
                                 {"sizes", std::vector<std::int64_t>{2, 3}},
                                 {"weights", std::vector<double>{1.0, 1.0 / 3}},
                                 {"names", std::vector<std::string>{"a", ""}}};
  value.train.objectives[0].optimizer.lr = 0x1.999999999999ap-4;
  value.title = "quotes \" and \\ and \xe6\xb3\xb5";
  const Result<PipelineValue> back = readJson<PipelineValue>(FieldJson::parse(textOf(jsonOf(value))), "this");
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(back->answers[0].parameters, value.answers[0].parameters);
  EXPECT_EQ(back->train.objectives[0].optimizer.lr, value.train.objectives[0].optimizer.lr);
  EXPECT_EQ(back->title, value.title);
  EXPECT_FALSE(differenceOf(value, *back, anyRole).has_value());
}

TEST(PipelineValue, ASettingIsGivenToTheFieldOfItsName) {
  TrainSpec train;
  EXPECT_TRUE(setField(train, "batch", std::int64_t{13}));
  EXPECT_TRUE(setField(train, "seed", std::int64_t{7}));
  EXPECT_TRUE(setField(train, "epochs", 2.5));
  EXPECT_FALSE(setField(train, "epochs", std::string("two")));
  EXPECT_FALSE(setField(train, "warmth", 1.0));
  EXPECT_EQ(train.batch, 13);
  EXPECT_EQ(train.seed, 7u);
  EXPECT_EQ(train.epochs, 2.5);
}

TEST(PipelineValue, SaysWhatDiffersInWordsFirst) {
  RunConfig run, now;
  run.resolved = {{"train.batch", "32", "default"}, {"evaluate.dev", "[f1]", "file"}, {"target.threads", "1", "file"}};
  now.resolved = {{"train.batch", "13", "file"}, {"evaluate.dev", "[]", "file"}, {"target.threads", "2", "file"}};
  run.resolvedText = "node a linear\n", now.resolvedText = "node a conv1d\n";
  now.train.batch = 13;
  EXPECT_EQ(changesOf(run, now, fixedInAFinishedRun), "\n  `train.batch`: `32` in the run, `13` now");
  EXPECT_EQ(changesOf(run, now, fixedInAResumedRun),
            "\n  `evaluate.dev`: `[f1]` in the run, `[]` now\n  `train.batch`: `32` in the run, `13` now");
  now.resolved = run.resolved;
  EXPECT_EQ(changesOf(run, now, fixedInAFinishedRun), "\n  the model: `node a linear` in the run, `node a conv1d` now");
  now.resolvedText = run.resolvedText;
  EXPECT_EQ(changesOf(run, now, fixedInAFinishedRun), "\n  `train.batch`: `32` in the run, `13` now");
  EXPECT_EQ(changesOf(run, now, Role::code), "");
}

} // namespace
} // namespace penstock
