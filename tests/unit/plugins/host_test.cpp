#include "runtime/plugin/plugin_check.h"
#include "runtime/plugin/plugin_host.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <thread>

namespace penstock {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

class PluginHostTest : public ::testing::Test {
protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "penstock_host_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    cache = pattern;
    setenv("PENSTOCK_CACHE", cache.c_str(), 1);
  }
  void TearDown() override {
    unsetenv("PENSTOCK_CACHE");
    fs::remove_all(cache);
  }
  PluginManifest broken(const std::string &fault) {
    auto manifest = readPluginManifest(std::string(BROKEN_PLUGINS) + "/broken_" + fault + "/plugin.toml");
    EXPECT_TRUE(manifest.ok()) << manifest.status().message();
    return manifest.value();
  }
  std::string cache;
};

TEST_F(PluginHostTest, NamesWhatABrokenLibraryDid) {
  const std::pair<const char *, const char *> faults[] = {
      {"crash", "crashed while it was loaded (signal 11"},
      {"exit", "ended its process while it was loaded"},
      {"throw", "broke its contract in `penstock_plugin`: an exception came out of it"},
      {"silent", "returned nothing"},
      {"older", "was built for plugin ABI 0."},
      {"name", "calls itself `somebody_else`"},
      {"table", "has no function `merge`"},
      {"missing", "exports no `penstock_plugin`"},
  };
  for (const auto &[fault, says] : faults) {
    if (SANITIZED && std::string(fault) == "crash") {
      continue; // the sanitizer's handler turns the signal into an exit code
    }
    const Status verdict = scanPlugin(broken(fault), cache, milliseconds(10000));
    ASSERT_FALSE(verdict.ok()) << fault;
    EXPECT_NE(verdict.message().find(says), std::string::npos) << verdict.message();
    EXPECT_NE(verdict.message().find("`broken_" + std::string(fault) + "`"), std::string::npos) << verdict.message();
  }
}

TEST_F(PluginHostTest, RemembersAVerdictUntilTheLibraryChanges) {
  const fs::path copy = fs::path(cache) / "copy";
  fs::create_directory(copy);
  PluginManifest manifest = broken("hang");
  fs::copy_file(manifest.library, copy / "libbroken_hang.so");
  manifest.library = (copy / "libbroken_hang.so").string();
  const auto timed = [&](milliseconds timeout) {
    const auto begin = std::chrono::steady_clock::now();
    const Status verdict = scanPlugin(manifest, cache, timeout);
    EXPECT_NE(verdict.message().find("hung while it was loaded"), std::string::npos) << verdict.message();
    return std::chrono::steady_clock::now() - begin;
  };
  EXPECT_GE(timed(milliseconds(300)), milliseconds(300));
  EXPECT_LT(timed(milliseconds(60000)), milliseconds(30000)); // remembered: it would hang for a minute
  struct stat info{};
  ASSERT_EQ(stat((cache + "/plugins").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);

  // A damaged memory is no memory.
  for (const auto &entry : fs::directory_iterator(cache + "/plugins")) {
    std::ofstream(entry.path()) << "penstock-plugin-scan 1\nnonsense\n+\n";
  }
  EXPECT_GE(timed(milliseconds(300)), milliseconds(300));

  // Another library in its place is scanned anew.
  PluginManifest silent = broken("silent");
  fs::copy_file(silent.library, copy / "new.so");
  fs::rename(copy / "new.so", copy / "libbroken_hang.so");
  EXPECT_NE(scanPlugin(manifest, cache, milliseconds(10000)).message().find("returned nothing"), std::string::npos);
}

TEST_F(PluginHostTest, LivesWithoutACacheFolder) {
  EXPECT_FALSE(scanPlugin(broken("silent"), "", milliseconds(10000)).ok());
  EXPECT_FALSE(scanPlugin(broken("silent"), "/proc/nowhere", milliseconds(10000)).ok());
}

TEST_F(PluginHostTest, LoadsOnceAndNamesTheNearest) {
  const auto host = PluginHost::create({BROKEN_PLUGINS});
  ASSERT_TRUE(host.ok()) << host.status().message();
  const auto first = (*host)->load("accuracy", PluginKind::metric);
  ASSERT_TRUE(first.ok()) << first.status().message();
  EXPECT_EQ(*first, *(*host)->load("accuracy", PluginKind::metric));
  const auto wrong = (*host)->load("acuracy", PluginKind::metric);
  ASSERT_FALSE(wrong.ok());
  EXPECT_NE(wrong.status().message().find("did you mean `accuracy`?"), std::string::npos);
  EXPECT_FALSE((*host)->load("accuracy", PluginKind::head).ok());
  EXPECT_FALSE((*host)->load("broken_table", PluginKind::metric).ok());
  EXPECT_TRUE((*host)->load("f1", PluginKind::metric).ok()); // the host lives on
}

TEST_F(PluginHostTest, TakesPluginsThatWereBuiltWithTheFrozenHeader) {
  const auto host = PluginHost::create({FROZEN_PLUGINS});
  ASSERT_TRUE(host.ok()) << host.status().message();
  for (const auto &[name, kind] :
       {std::pair{"words", PluginKind::tokenizer}, std::pair{"classify", PluginKind::head}, std::pair{"tag", PluginKind::head},
        std::pair{"roc_auc", PluginKind::metric}, std::pair{"accuracy", PluginKind::metric}, std::pair{"nearest", PluginKind::learner}}) {
    const auto loaded = (*host)->load(name, kind);
    EXPECT_TRUE(loaded.ok()) << loaded.status().message();
    const auto manifest = (*host)->manifest(name, kind);
    ASSERT_TRUE(manifest.ok()) << name;
    EXPECT_EQ((*manifest)->library.find(FROZEN_PLUGINS), 0U) << (*manifest)->library;
  }
}

TEST_F(PluginHostTest, IsThreadSafe) {
  const auto host = PluginHost::create();
  ASSERT_TRUE(host.ok());
  std::vector<std::thread> threads;
  std::vector<const PenstockPlugin *> loaded(7);
  for (std::size_t i = 0; i < loaded.size(); ++i) {
    threads.emplace_back([&, i] {
      const auto plugin = (*host)->load(i % 2 == 0 ? "words" : "characters", PluginKind::tokenizer);
      loaded[i] = plugin.ok() ? *plugin : nullptr;
    });
  }
  for (std::thread &thread : threads) {
    thread.join();
  }
  for (std::size_t i = 0; i < loaded.size(); ++i) {
    EXPECT_NE(loaded[i], nullptr);
    EXPECT_EQ(loaded[i], loaded[i % 2]);
  }
}

TEST_F(PluginHostTest, MetricsAskForMeanings) {
  const auto host = PluginHost::create();
  ASSERT_TRUE(host.ok());
  const std::vector<std::string> names = {"a", "b"};
  JudgingSpec judging;
  judging.gold = targetField("label", "class", names);
  judging.answers = {targetField("answer", "number", {})};
  EXPECT_NE(makeMetric(**host, "accuracy", "", judging).status().message().find("means as `class`"), std::string::npos);
  judging.answers = {probabilitiesField(names), targetField("answer", "class", names)};
  EXPECT_EQ((*makeMetric(**host, "accuracy", "", judging))->fields(), (std::vector<int>{1}));
  EXPECT_EQ((*makeMetric(**host, "roc_auc", "", judging))->fields(), (std::vector<int>{0, 1}));
  judging.gold = targetField("price", "number", {});
  EXPECT_NE(makeMetric(**host, "accuracy", "", judging).status().message().find("the target has none"), std::string::npos);
}

TEST_F(PluginHostTest, MetricsReadOnlyWhatHasTheFormOfItsMeaning) {
  const auto host = PluginHost::create();
  ASSERT_TRUE(host.ok());
  const auto whyNot = [&](const char *plugin, ColumnField gold, std::vector<ColumnField> answers) {
    JudgingSpec judging;
    judging.gold = std::move(gold);
    judging.answers = std::move(answers);
    judging.whose = "the answer of the head `mine`";
    const auto made = makeMetric(**host, plugin, "", judging);
    const Result<const PluginManifest *> manifest = (*host)->manifest(plugin, PluginKind::metric);
    EXPECT_EQ(whyNotJudged(**manifest, judging), made.status().message());
    return made.status().message();
  };
  const auto with = [](ColumnField field, std::int32_t element, std::int32_t shape) {
    field.element = element;
    field.shape = shape;
    return field;
  };
  const ColumnField gold = targetField("label", "class", {"a", "b"}, {"new"}), right = targetField("answer", "class", {"a", "b"});
  EXPECT_EQ(whyNot("accuracy", gold, {right}), "");
  EXPECT_EQ(whyNot("accuracy", gold, {targetField("answer", "class", {"a"})}), "");
  EXPECT_EQ(whyNot("accuracy", gold, {targetField("answer", "class", {"a", "b", "new"})}), "");
  EXPECT_EQ(
      whyNot("accuracy", targetField("label", "class", {"a", "b"}), {targetField("answer", "class", {"a", "b", "c", "d"})}),
      "metric `accuracy` cannot judge the answer of the head `mine`: its field `answer` means `class` and has 4 classes where the target "
      "has 2");
  EXPECT_NE(whyNot("accuracy", gold, {targetField("answer", "class", {"b", "a"})}).find("has the class `b` where the target has `a`"),
            std::string::npos);
  EXPECT_NE(whyNot("accuracy", gold, {with(vectorField(1), PENSTOCK_F32, PENSTOCK_EACH), right, with(right, PENSTOCK_F32, PENSTOCK_EACH)})
                .find("its field `answer` means `class` and is not made of classes"),
            std::string::npos);
  EXPECT_NE(whyNot("accuracy", gold, {with(right, PENSTOCK_CLASS, PENSTOCK_LIST)}).find("is not one value a record"), std::string::npos);
  EXPECT_NE(whyNot("accuracy", gold, {with(right, PENSTOCK_CLASS, PENSTOCK_WIDE)}).find("is not one value a record"), std::string::npos);
  const ColumnField set = targetField("labels", "set", {"a", "b"}), tags = targetField("tags", "tags", {"B-a", "O"});
  EXPECT_EQ(whyNot("f1", set, {set}), "");
  EXPECT_NE(whyNot("f1", set, {with(set, PENSTOCK_CLASS, PENSTOCK_EACH)}).find("is no list"), std::string::npos);
  EXPECT_EQ(whyNot("accuracy", tags, {tags}), "");
  EXPECT_NE(whyNot("accuracy", tags, {with(tags, PENSTOCK_I32, PENSTOCK_LIST)}).find("is not made of classes"), std::string::npos);
  const ColumnField number = targetField("price", "number", {});
  for (const std::int32_t element : {PENSTOCK_F32 + 0, PENSTOCK_I32 + 0, PENSTOCK_I64 + 0, PENSTOCK_F64 + 0}) {
    EXPECT_EQ(whyNot("mse", number, {with(number, element, PENSTOCK_EACH)}), "") << element;
  }
  for (const std::int32_t element : {PENSTOCK_BOOL + 0, PENSTOCK_TEXT + 0, PENSTOCK_CLASS + 0, PENSTOCK_STRUCT + 0}) {
    EXPECT_NE(whyNot("mse", number, {with(number, element, PENSTOCK_EACH)}).find("is not made of numbers"), std::string::npos) << element;
  }
  const std::vector<std::string> names = {"a", "b"};
  for (const std::int32_t element : {PENSTOCK_F32 + 0, PENSTOCK_F64 + 0}) {
    EXPECT_EQ(whyNot("log_loss", gold, {right, probabilitiesField(names, element)}), "");
  }
  for (const std::int32_t element : {PENSTOCK_BOOL + 0, PENSTOCK_I32 + 0, PENSTOCK_TEXT + 0}) {
    EXPECT_NE(whyNot("log_loss", gold, {right, probabilitiesField(names, element)}).find("`probabilities` and is not made of an f32"),
              std::string::npos);
  }
  const ColumnField each = with(vectorField(1), PENSTOCK_F32, PENSTOCK_EACH);
  ColumnField one = each;
  one.name = one.meaning = "probabilities";
  EXPECT_NE(whyNot("log_loss", gold, {right, one}).find("is not made of an f32 or f64 a class"), std::string::npos);
  EXPECT_EQ(whyNot("accuracy", gold, {right, one}), ""); // which is not shown it
}

TEST_F(PluginHostTest, AMetricsStateGoesOverToAnother) {
  const auto host = PluginHost::create();
  ASSERT_TRUE(host.ok());
  JudgingSpec judging;
  judging.gold = targetField("label", "class", {"a", "b"});
  judging.answers = {targetField("answer", "class", {"a", "b"})};
  std::vector<Column> answers = columnsOf(judging.answers);
  Column gold(judging.gold);
  gold.of<std::int32_t>() = {0, 1, 1};
  answers[0].of<std::int32_t>() = {0, 1, 0};
  gold.rows = answers[0].rows = 3;
  auto left = makeMetric(**host, "accuracy", "", judging), right = makeMetric(**host, "accuracy", "", judging),
       other = makeMetric(**host, "f1", "", judging);
  ASSERT_TRUE(left.ok() && right.ok() && other.ok());
  ASSERT_TRUE((*left)->add({3, &answers, &gold, nullptr, nullptr}).ok());
  const auto state = (*left)->save();
  ASSERT_TRUE(state.ok());
  ASSERT_TRUE((*right)->load(*state).ok());
  ASSERT_TRUE((*left)->merge(**right).ok());
  EXPECT_DOUBLE_EQ((*left)->result()->values.front().second, 4.0 / 6);
  EXPECT_FALSE((*right)->load("damaged").ok());
  EXPECT_FALSE((*left)->merge(**other).ok());
}

} // namespace
} // namespace penstock
