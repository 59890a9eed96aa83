// A host in whose header every struct that may grow has one member more than in the header of the plugins, as one of a later minor
// version: it takes the plugins of today, and lends them what they can read.
#include "runtime/plugin/plugin_host.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>

namespace penstock {
namespace {

static_assert(sizeof(PenstockLearner) > offsetof(PenstockLearner, answer) + sizeof(PenstockLearner::answer));

TEST(GrownHost, TriesEveryPluginOfTheTreeAndUsesOneOfEachKind) {
  std::string cache = (std::filesystem::temp_directory_path() / "penstock_grown_XXXXXX").string();
  ASSERT_NE(::mkdtemp(cache.data()), nullptr);
  ::setenv("PENSTOCK_CACHE", cache.c_str(), 1); // nothing is remembered: every plugin is tried now
  const auto host = PluginHost::create();
  ASSERT_TRUE(host.ok()) << host.status().message();
  const auto manifests = findPlugins({});
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
  const auto metric = makeMetric(**host, "accuracy", "", std::vector<std::string>{"a", "b"});
  ASSERT_TRUE(metric.ok()) << metric.status().message();
  const std::int32_t gold[] = {0, 1, 1}, predicted[] = {0, 1, 0};
  PenstockPredictions batch{};
  batch.struct_size = sizeof batch;
  batch.records = 3;
  batch.gold = gold;
  batch.predicted = predicted;
  ASSERT_TRUE((*metric)->add(batch).ok());
  const auto values = (*metric)->result();
  ASSERT_TRUE(values.ok()) << values.status().message();
  EXPECT_NEAR(values->values.front().second, 2.0 / 3, 1e-12);
  ::unsetenv("PENSTOCK_CACHE");
  std::filesystem::remove_all(cache);
}

} // namespace
} // namespace penstock
