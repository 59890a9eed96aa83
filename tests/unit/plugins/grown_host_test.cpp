// A host in whose header every struct that may grow has one member more than in the header of the plugins, as one of a later minor
// version: it takes the plugins of today, and lends them what they can read.
#include "runtime/plugin/plugin_host.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>

namespace penstock {
namespace {

static_assert(sizeof(PenstockLearner) > PENSTOCK_SIZE_WITH(PenstockLearner, answer) &&
              sizeof(PenstockColumn) > PENSTOCK_SIZE_WITH(PenstockColumn, children));

void useAll(const std::vector<std::string> &folders) {
  std::string cache = (std::filesystem::temp_directory_path() / "penstock_grown_XXXXXX").string();
  ASSERT_NE(::mkdtemp(cache.data()), nullptr);
  ::setenv("PENSTOCK_CACHE", cache.c_str(), 1); // nothing is remembered: every plugin is tried now
  const auto host = PluginHost::create(folders);
  ASSERT_TRUE(host.ok()) << host.status().message();
  const auto manifests = findPlugins(folders);
  ASSERT_TRUE(manifests.ok()) << manifests.status().message();
  ASSERT_GE(manifests->size(), 20U);
  for (const PluginManifest &manifest : *manifests) {
    const auto loaded = (*host)->load(manifest.name, manifest.kind);
    EXPECT_TRUE(loaded.ok()) << loaded.status().message();
  }

  const auto tokenizer = makeTokenizer(**host, "characters", "{}", "");
  if (tokenizer.ok()) { // one that fits has no state here
    Tokenizer::Tokens tokens;
    const std::vector<std::string_view> texts = {"abc", ""};
    EXPECT_TRUE((*tokenizer)->encode(texts, -1, true, tokens).ok());
    EXPECT_EQ(tokens.offsets.back(), 3);
  }
  const std::vector<std::string> names = {"a", "b"};
  JudgingSpec judging;
  judging.gold = targetField("label", "class", names);
  judging.answers = {targetField("answer", "class", names)};
  std::vector<Column> answers = columnsOf(judging.answers);
  Column gold(judging.gold);
  gold.of<std::int32_t>() = {0, 1, 1};
  answers[0].of<std::int32_t>() = {0, 1, 0};
  gold.rows = answers[0].rows = 3;
  const auto metric = makeMetric(**host, "accuracy", "", judging);
  ASSERT_TRUE(metric.ok()) << metric.status().message();
  ASSERT_TRUE((*metric)->add({3, &answers, &gold, nullptr, nullptr}).ok());
  const auto values = (*metric)->result();
  ASSERT_TRUE(values.ok()) << values.status().message();
  EXPECT_NEAR(values->values.front().second, 2.0 / 3, 1e-12);

  const auto head = makeHead(**host, "classify", "", &judging.gold);
  ASSERT_TRUE(head.ok()) << head.status().message();
  const float scores[] = {0.25F, 0.75F, 0.5F, 0.5F};
  PenstockDecodeBatch batch{};
  batch.struct_size = sizeof batch;
  batch.records = batch.rows = batch.width = 2;
  batch.values = scores;
  std::vector<Column> decoded = columnsOf((*head)->schema());
  ASSERT_TRUE((*head)->decode(batch, decoded).ok());
  EXPECT_EQ(decoded[0].of<std::int32_t>(), (std::vector<std::int32_t>{1, 0}));
  EXPECT_EQ(decoded[2].of<float>(), (std::vector<float>{0.25F, 0.75F, 0.5F, 0.5F}));

  const LearningSpec learning = {2, {}};
  auto fit = fitLearner(**host, "nearest", R"({"k": 1})", learning);
  ASSERT_TRUE(fit.ok()) << fit.status().message();
  const std::int64_t rows[] = {7, 9};
  const PenstockString texts[] = {{"a", 1}, {"b", 1}};
  ASSERT_TRUE((*fit)->add({2, scores, rows, texts, nullptr, nullptr}).ok());
  const auto state = (*fit)->end();
  ASSERT_TRUE(state.ok());
  const auto learner = makeLearner(**host, "nearest", R"({"k": 1})", learning, *state);
  ASSERT_TRUE(learner.ok()) << learner.status().message();
  std::vector<Column> nearest = columnsOf((*learner)->schema());
  ASSERT_TRUE((*learner)->answer(scores, 1, nearest).ok());
  EXPECT_EQ(nearest[0].children[2].of<std::int64_t>(), (std::vector<std::int64_t>{7}));

  const auto source = makeSource(**host, "ts", "");
  ASSERT_TRUE(source.ok()) << source.status().message();
  std::string_view text = "@dimensions 1\n@data\n4,5,?\n6:7\n8\n";
  const auto reader = (*source)->open([&](char *into, std::size_t size) -> Result<std::size_t> {
    const std::size_t count = text.copy(into, std::min<std::size_t>(size, 3));
    text.remove_prefix(count);
    return count;
  });
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  ASSERT_EQ((*reader)->schema().size(), 3U);
  ASSERT_TRUE((*reader)->select({1, 2}).ok());
  SourceRows read;
  ASSERT_TRUE((*reader)->next(read).value());
  EXPECT_EQ(read.columns[0].of<std::int64_t>(), (std::vector<std::int64_t>{0, 1, 2}));
  const TextValues &held = read.columns[1].texts();
  ASSERT_EQ(held.size(), 3U);
  EXPECT_TRUE(held[0] == "4" && held[1] == "5" && held[2].empty());
  EXPECT_EQ(read.columns[1].present, (std::vector<std::uint8_t>{1, 1, 0}));
  ASSERT_TRUE((*reader)->next(read).value());
  ASSERT_EQ(read.problems.size(), 1U);
  EXPECT_EQ(read.problems[0].line, 4);
  ASSERT_TRUE((*reader)->next(read).value());
  EXPECT_EQ(read.lines, (std::vector<std::int64_t>{5}));
  EXPECT_FALSE((*reader)->next(read).value());
  ::unsetenv("PENSTOCK_CACHE");
  std::filesystem::remove_all(cache);
}

TEST(GrownHost, TriesEveryPluginOfTheTreeAndUsesOneOfEachKind) { useAll({}); }

TEST(GrownHost, TakesPluginsThatWereBuiltWithTheFrozenHeader) { useAll({FROZEN_PLUGINS}); }

} // namespace
} // namespace penstock
