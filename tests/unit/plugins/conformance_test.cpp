// The conformance kit over every plugin of the tree, and over plugins that break a promise each.
#include "byte_level_vocabulary.h"
#include "plugin_fixture.h"

#include "plugins/sdk/conformance/conformance.h"

#include <penstock/sdk/metric.h>
#include <penstock/sdk/tokenizer.h>

#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <unistd.h>

namespace penstock {
namespace {

class ConformanceTest : public PluginTest {};

TEST_F(ConformanceTest, EveryPluginOfTheTree) {
  const std::filesystem::path vocab = std::filesystem::temp_directory_path() / ("penstock_conformance_" + std::to_string(getpid()));
  std::ofstream(vocab) << "[UNK]\n[CLS]\n[SEP]\na\n##a\nword\n##s\n,\n\u4e2d\ne\n";
  const std::string pairs = vocab.string() + ".json", merges = vocab.string() + ".merges";
  const SmallByteLevel small;
  std::ofstream(pairs) << small.vocabulary.dump();
  std::ofstream(merges) << small.merges;
  const std::map<std::string, std::vector<std::string>> parameters = {
      {"wordpiece", {R"({"vocab": ")" + vocab.string() + "\"}"}},
      {"bpe", {nlohmann::json{{"vocab", pairs}, {"merges", merges}, {"prefix_space", true}}.dump()}},
      {"words", {"", R"({"ngrams": [1, 3], "min_count": 1})", R"({"ngrams": [2, 2], "hash": 97})"}},
      {"characters", {"", R"({"ngrams": [1, 4], "min_count": 1})", R"({"hash": 2})"}}};
  int checked = 0;
  for (const PluginManifest &manifest : host->manifests()) {
    const auto given = parameters.find(manifest.name);
    for (const std::string &one : given == parameters.end() ? std::vector<std::string>{""} : given->second) {
      const auto arguments = host->arguments(manifest, one);
      ASSERT_TRUE(arguments.ok()) << arguments.status().message();
      const auto plugin = host->load(manifest.name, manifest.kind);
      ASSERT_TRUE(plugin.ok()) << plugin.status().message();
      conformance::Case test;
      test.plugin = *plugin;
      test.parameters = (*arguments)->view();
      test.fits = manifest.fits;
      test.keepsRecords = manifest.keepsRecords;
      test.vectorInput = manifest.input == "vector";
      test.targets = manifest.targets;
      test.meanings = manifest.meanings;
      test.features = manifest.features;
      for (const MetricResult &result : manifest.resultsFor((*arguments)->values())) {
        test.results.push_back(result.name);
      }
      if (manifest.name == "ts") {
        test.files = {"#\n@problemName p\n@univariate false\n@dimensions 2\n@classLabel true a b\n@data\n1,2,?:3,4,5:a\n\n1:2:?\n1:2:c\n",
                      "@data\n1:2\n3,4:5,6\n3:4:5\n"};
      }
      for (const std::string &failure : conformance::check(test)) {
        ADD_FAILURE() << manifest.name << one << ": " << failure;
      }
    }
    ++checked;
  }
  for (const std::string &path : {vocab.string(), pairs, merges}) {
    std::filesystem::remove(path);
  }
  EXPECT_GE(checked, 24);
}

/// Counts records, but forgets to merge.
struct Forgetful {
  Forgetful(const sdk::Parameters &, const sdk::Classes &) {}
  void add(const sdk::Predictions &batch) { records += static_cast<double>(batch.records); }
  void merge(const Forgetful &) {}
  void result(sdk::Results &results) const { results.value("records", records); }
  template <typename Archive> void state(Archive &) {}
  double records = 0;
};

/// One token of the whole text, with an end that lies behind it.
struct Overshooting {
  Overshooting(const sdk::Parameters &, std::string_view) {}
  std::int64_t vocabularySize() const { return 1; }
  std::int32_t unknownId() const { return 0; }
  std::string_view token(std::int32_t) const { return "all"; }
  void encode(std::string_view text, sdk::Tokens &tokens) const { tokens.add(0, 0, text.size() + 1); }
};

TEST(Conformance, FindsBrokenPromises) {
  const PenstockParameters none = {sizeof none, {}};
  const PenstockPlugin metric = {sizeof metric, 2, 0, PENSTOCK_METRIC, "forgetful", "1", sdk::MetricFunctions<Forgetful>::table()};
  conformance::Case test;
  test.plugin = &metric;
  test.parameters = &none;
  test.targets = {"class"};
  test.results = {"records", "other"};
  const std::vector<std::string> found = conformance::check(test);
  const auto has = [](const std::vector<std::string> &all, const std::string &part) {
    for (const std::string &one : all) {
      if (one.find(part) != std::string::npos) {
        return true;
      }
    }
    return false;
  };
  EXPECT_TRUE(has(found, "merging gives another result"));
  EXPECT_TRUE(has(found, "a weight is not the same"));
  EXPECT_TRUE(has(found, "`other` is missing"));
  EXPECT_FALSE(has(found, "depends on the batches"));

  const PenstockPlugin tokenizer = {
      sizeof tokenizer, 2, 0, PENSTOCK_TOKENIZER, "overshooting", "1", sdk::TokenizerFunctions<Overshooting>::table()};
  test = {};
  test.plugin = &tokenizer;
  test.parameters = &none;
  EXPECT_TRUE(has(conformance::check(test), "offsets lie outside of the text"));
}

/// Throws from every function that it has.
struct Throwing {
  Throwing(const sdk::Parameters &, std::string_view state) {
    if (state == "refuse") {
      throw sdk::Failure("this state is not ours");
    }
    if (state == "mistake") {
      throw std::out_of_range("vector::at");
    }
  }
  ~Throwing() noexcept(false) { throw 3; }
  std::int64_t vocabularySize() const { throw 1; }
  std::int32_t unknownId() const { throw std::string("text"); }
  std::string_view token(std::int32_t) const { return ""; }
  void encode(std::string_view, sdk::Tokens &) const { throw 2.5; }
};

TEST(Sdk, NoExceptionOfAnyTypeCrosses) {
  const PenstockTokenizer &f = *sdk::TokenizerFunctions<Throwing>::table();
  const PenstockParameters none = {sizeof none, {}};
  const auto state = [](std::string_view text) { return PenstockString{text.data(), text.size()}; };
  PenstockError error{};
  void *self = nullptr;
  EXPECT_EQ(f.create(nullptr, &none, state("refuse"), &self, &error), 1);
  EXPECT_STREQ(error.text, "this state is not ours");
  EXPECT_EQ(f.create(nullptr, &none, state("mistake"), &self, &error), PENSTOCK_UNEXPECTED);
  EXPECT_EQ(f.create(nullptr, &none, state("mistake"), &self, nullptr), PENSTOCK_UNEXPECTED);
  ASSERT_EQ(f.create(nullptr, &none, state(""), &self, &error), 0);
  EXPECT_EQ(f.vocabulary_size(self), -1);
  EXPECT_EQ(f.unknown_id(self), -1);
  const PenstockString text = state("a");
  const PenstockTokenSink sink = {sizeof sink, nullptr, nullptr, 0};
  EXPECT_EQ(f.encode(self, &text, 1, -1, &sink, &error), PENSTOCK_UNEXPECTED);
  f.destroy(self);
}

} // namespace
} // namespace penstock
