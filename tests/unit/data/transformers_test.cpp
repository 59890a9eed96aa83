// Records as Transformers makes them of texts and pairs: special tokens, token types and the cut, through the plugin host.
#include "runtime/data/encode.h"

#include "support.h"

namespace penstock::test {
namespace {

TEST(Transformers, SameIdsAndTypes) {
  const char *source = std::getenv("PENSTOCK_SOURCE"), *shared = std::getenv("PENSTOCK_SHARED"), *build = std::getenv("PENSTOCK_BUILD");
  const std::string root = source == nullptr ? "." : source;
  const std::string vocab =
      (shared == nullptr ? root + "/../shared" : shared) + std::string("/data/tokenizers/bert-base-uncased/vocab.txt");
  if (!std::filesystem::exists(vocab)) {
    GTEST_SKIP() << "no vocabulary at " << vocab << "; set PENSTOCK_SHARED";
  }
  const auto host =
      PluginHost::create(build == nullptr ? std::vector<std::string>{} : std::vector<std::string>{std::string(build) + "/plugins"});
  ASSERT_TRUE(host.ok()) << host.status().message();
  const auto tokenizer = makeTokenizer(**host, "wordpiece", Json{{"vocab", vocab}}.dump(), "");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  std::ifstream lines(root + "/tests/unit/data/fixtures/transformers.jsonl");
  int rows = 0, refused = 0;
  for (std::string line; std::getline(lines, line); ++rows) {
    const Json row = Json::parse(line);
    LinkedFeature feature;
    feature.name = "tokens";
    feature.plugin = "wordpiece";
    feature.second = row["second"].is_null() ? -1 : 1;
    feature.maxLength = row["max_length"];
    feature.truncation = truncationOf(row["truncate"].get<std::string>());
    PreparedTexts texts;
    texts.begin(feature);
    const std::string first = row["first"], second = row["second"].is_null() ? "" : row["second"].get<std::string>();
    const ColumnSpec column; // of texts
    const auto add = [&](const std::string &text) {
      Cell cell;
      cell.text = text;
      cell.present = true;
      texts.add(column, cell);
    };
    add(first);
    if (feature.isPair()) {
      add(second);
    }
    texts.finish();
    EncodedTexts made;
    const Status status = encodeTexts(feature, **tokenizer, texts, made);
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_EQ(made.stuck >= 0, row["ids"].is_null()) << line;
    if (made.stuck >= 0) {
      ++refused;
      continue;
    }
    ASSERT_EQ(made.ids, row["ids"].get<std::vector<std::int32_t>>()) << line;
    std::vector<std::int32_t> types(made.ids.size());
    for (std::size_t i = feature.isPair() ? static_cast<std::size_t>(made.firsts[0]) : types.size(); i < types.size(); ++i) {
      types[i] = 1;
    }
    ASSERT_EQ(types, row["types"].get<std::vector<std::int32_t>>()) << line;
  }
  EXPECT_GE(rows, 150);
  EXPECT_GT(refused, 0);
}

} // namespace
} // namespace penstock::test
