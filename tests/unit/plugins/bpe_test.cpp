// Ids and offsets of Hugging Face's byte-level BPE: small cases here, more in the fixture that fixtures/make_bpe.py made.
#include "byte_level_vocabulary.h"
#include "plugin_fixture.h"

#include <nlohmann/json.hpp>

#include <array>
#include <functional>
#include <map>
#include <unistd.h>

namespace penstock {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;
using Ids = std::vector<std::int32_t>;
using Json = nlohmann::json;

class BytePairTest : public PluginTest {
protected:
  void TearDown() override { fs::remove_all(folder); }
  std::string write(const std::string &name, const std::string &text) {
    fs::create_directories(folder);
    std::ofstream(folder / name, std::ios::binary) << text;
    return (folder / name).string();
  }
  Result<std::shared_ptr<const Tokenizer>> make(const Json &parameters) { return makeTokenizer(*host, "bpe", parameters.dump(), ""); }
  std::string refusal(const Json &parameters) {
    const auto made = make(parameters);
    return made.ok() ? "ok" : made.status().message();
  }
  Strings words(const Tokenizer &tokenizer, const std::string &text) {
    Strings found;
    for (const std::int32_t id : encodeOne(tokenizer, text).ids) {
      found.push_back(tokenizer.token(id).value());
    }
    return found;
  }
  /// A tokenizer.json of the small vocabulary.
  Json tokenizerJson() {
    const SmallByteLevel small;
    Json json = {{"model", {{"type", "BPE"}, {"vocab", small.vocabulary}, {"merges", small.mergeList}}},
                 {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
                 {"post_processor", {{"type", "RobertaProcessing"}, {"cls", {"<s>", 256}}, {"sep", {"</s>", 257}}}},
                 {"added_tokens", Json::array({{{"id", 300}, {"content", "<mask>"}, {"special", true}}})}};
    return json;
  }
  fs::path folder = fs::temp_directory_path() / ("penstock_bpe_" + std::to_string(getpid()));
};

TEST_F(BytePairTest, MergesByRankLeftmostFirst) {
  const SmallByteLevel small;
  const auto made = make({{"vocab", write("vocab.json", small.vocabulary.dump())}, {"merges", write("merges.txt", small.merges)}});
  ASSERT_TRUE(made.ok()) << made.status().message();
  EXPECT_EQ((*made)->specialTokens().prefix, (Ids{256}));
  EXPECT_EQ((*made)->specialTokens().separator, (Ids{257, 257}));
  EXPECT_EQ((*made)->specialTokens().suffix, (Ids{257}));
  EXPECT_EQ((*made)->unknownId(), 258);
  EXPECT_EQ(words(**made, "abab aab"), (Strings{"abab", "\u0120", "a", "ab"}));
  EXPECT_EQ(words(**made, "abc"), (Strings{"a", "bc"})) << "`bc` ranks before `ab`";
  EXPECT_EQ(words(**made, "abx'sx"), (Strings{"ab", "x", "'", "s", "x"}));
  EXPECT_EQ(words(**made, "x  ab"), (Strings{"x", "\u0120", "\u0120ab"}));
  EXPECT_EQ(words(**made, std::string(100, 'a')).size(), 50u) << "the long way of merging";
  const std::string text = "\u00e9\u4e2d";
  const Tokenizer::Tokens tokens = encodeOne(**made, text);
  EXPECT_EQ(tokens.starts, (std::vector<std::uint32_t>{0, 0, 2, 2, 2})) << "a part of a character covers it";
  EXPECT_EQ(tokens.ends, (std::vector<std::uint32_t>{2, 2, 5, 5, 5}));
}

TEST_F(BytePairTest, ShortAndLongMergingAgree) {
  const SmallByteLevel small;
  const auto made = make({{"vocab", write("vocab.json", small.vocabulary.dump())}, {"merges", write("merges.txt", small.merges)}});
  ASSERT_TRUE(made.ok()) << made.status().message();
  // A word of 49 bytes takes the heap; its first 47 and a byte that nothing merges with take the scan.
  std::uint32_t random = 11;
  for (int round = 0; round < 211; ++round) {
    std::string word;
    for (int i = 0; i < 47; ++i) {
      random = random * 1664525 + 1013904223;
      word += static_cast<char>('a' + (random >> 24) % 3);
    }
    Ids shortWay = encodeOne(**made, word).ids, longWay = encodeOne(**made, word + "xyz").ids;
    ASSERT_EQ(longWay.size(), shortWay.size() + 3) << word;
    longWay.resize(shortWay.size());
    ASSERT_EQ(longWay, shortWay) << word;
  }
}

TEST_F(BytePairTest, PutsASpaceBeforeTheFirstWord) {
  const SmallByteLevel small;
  const auto made = make(
      {{"vocab", write("vocab.json", small.vocabulary.dump())}, {"merges", write("merges.txt", small.merges)}, {"prefix_space", true}});
  ASSERT_TRUE(made.ok()) << made.status().message();
  EXPECT_EQ(words(**made, "ab ab"), (Strings{"\u0120ab", "\u0120ab"}));
  EXPECT_EQ(words(**made, " ab"), (Strings{"\u0120ab"}));
  EXPECT_EQ(words(**made, "\nab"), (Strings{"\u0120", "\u010a", "ab"}));
  EXPECT_EQ(encodeOne(**made, "").ids, Ids{});
  const Tokenizer::Tokens tokens = encodeOne(**made, "abx");
  EXPECT_EQ(tokens.starts, (std::vector<std::uint32_t>{0, 2}));
  EXPECT_EQ(tokens.ends, (std::vector<std::uint32_t>{2, 3}));
}

TEST_F(BytePairTest, ReadsTokenizerJson) {
  const std::string path = write("tokenizer.json", tokenizerJson().dump());
  const auto made = make({{"vocab", path}});
  ASSERT_TRUE(made.ok()) << made.status().message();
  EXPECT_EQ(words(**made, "abab c"), (Strings{"abab", "\u0120", "c"}));
  EXPECT_EQ((*made)->vocabularySize(), 301);
  EXPECT_EQ((*made)->token(300).value(), "<mask>");
  EXPECT_EQ((*made)->specialTokens().separator, (Ids{257, 257}));
  auto fit = fitTokenizer(*host, "bpe", Json{{"vocab", path}}.dump());
  ASSERT_TRUE(fit.ok()) << fit.status().message();
  const auto state = (*fit)->end();
  ASSERT_TRUE(state.ok());
  fs::remove(path);
  const auto again = makeTokenizer(*host, "bpe", Json{{"vocab", path}}.dump(), *state);
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(words(**again, "abab c"), (Strings{"abab", "\u0120", "c"}));
  EXPECT_EQ((*again)->specialTokens().suffix, (Ids{257}));
}

TEST_F(BytePairTest, ReadsAFolder) {
  const SmallByteLevel small;
  write("vocab.json", small.vocabulary.dump());
  write("merges.txt", small.merges);
  const auto read = [&](const Json &more) {
    Json parameters = {{"vocab", folder.string()}};
    parameters.update(more);
    auto fit = fitTokenizer(*host, "bpe", parameters.dump());
    if (!fit.ok()) {
      return Strings{fit.status().message()};
    }
    Strings found;
    for (const PluginNote &note : (*fit)->notes()) {
      found.push_back(note.parameter + "!");
    }
    const auto state = (*fit)->end();
    const auto made = makeTokenizer(*host, "bpe", R"({"vocab": "/nowhere"})", state.ok() ? *state : "");
    EXPECT_TRUE(made.ok()) << made.status().message();
    for (const std::string &word : made.ok() ? words(**made, "ab ab") : Strings()) {
      found.push_back(word);
    }
    return found;
  };
  const Strings plain = {"ab", "\u0120ab"}, spaced = {"\u0120ab", "\u0120ab"};
  EXPECT_EQ(read(Json::object()), plain);
  EXPECT_EQ(read({{"prefix_space", true}}), spaced);
  write("tokenizer_config.json", R"({"add_prefix_space": true})");
  EXPECT_EQ(read(Json::object()), spaced);
  EXPECT_EQ(read({{"prefix_space", false}}), (Strings{"prefix_space!", "ab", "\u0120ab"}));
  EXPECT_EQ(read({{"vocab", (folder / "vocab.json").string()}, {"merges", (folder / "merges.txt").string()}}), spaced);
  write("tokenizer.json", tokenizerJson().dump());
  EXPECT_EQ(read(Json::object()), (Strings{"vocab!", "\u0120ab", "\u0120ab"})) << "the two files contradict one another";
  write("tokenizer_config.json", R"({"tokenizer_class": "TokenizersBackend", "add_prefix_space": true})");
  EXPECT_EQ(read(Json::object()), plain);
  fs::remove(folder / "tokenizer.json");
  fs::remove(folder / "merges.txt");
  EXPECT_NE(read(Json::object())[0].find("merges.txt cannot be read"), std::string::npos);
  fs::remove(folder / "vocab.json");
  EXPECT_NE(read(Json::object())[0].find("has none of tokenizer.json, vocab.json"), std::string::npos);
}

TEST_F(BytePairTest, NamesWhatItCannotDo) {
  const auto says = [&](const std::function<void(Json &)> &change, const std::string &part) {
    Json json = tokenizerJson();
    change(json);
    const std::string said = refusal({{"vocab", write("tokenizer.json", json.dump())}});
    EXPECT_NE(said.find(part), std::string::npos) << said;
  };
  says([](Json &j) { j["normalizer"] = {{"type", "NFC"}}; }, "normalizer `NFC`");
  says([](Json &j) { j["pre_tokenizer"]["type"] = "Metaspace"; }, "pre-tokenizer `Metaspace`");
  says([](Json &j) { j["pre_tokenizer"]["use_regex"] = false; }, "`pre_tokenizer.use_regex` to false");
  says([](Json &j) { j["model"]["type"] = "Unigram"; }, "its model is `Unigram`");
  says([](Json &j) { j["model"]["dropout"] = 0.1; }, "`model.dropout`");
  says([](Json &j) { j["model"]["byte_fallback"] = true; }, "`model.byte_fallback`");
  says([](Json &j) { j["model"]["ignore_merges"] = true; }, "`model.ignore_merges`");
  says([](Json &j) { j["model"]["end_of_word_suffix"] = "</w>"; }, "`model.end_of_word_suffix`");
  says([](Json &j) { j["model"]["merges"].push_back("zz q"); }, "no token `zz`");
  says([](Json &j) { j["model"]["merges"].push_back("a b c"); }, "is not two tokens");
  says([](Json &j) { j["model"]["vocab"].erase("q"); }, "no token for the byte 113");
  says([](Json &j) { j["model"]["vocab"]["twice"] = 5; }, "have one id");
  says([](Json &j) { j["added_tokens"][0]["special"] = false; }, "added token `<mask>`");
  says([](Json &j) { j["post_processor"] = {{"type", "Other"}}; }, "post-processor `Other`");
  says([](Json &j) { j["post_processor"]["cls"] = {"<cls>", 9}; }, "names `<cls>`");
  const SmallByteLevel small;
  const std::string vocab = write("vocab.json", small.vocabulary.dump()), merges = write("merges.txt", small.merges);
  EXPECT_NE(refusal({{"vocab", vocab}}).find("holds no merges"), std::string::npos);
  EXPECT_NE(refusal({{"vocab", vocab}, {"merges", merges}, {"unknown", "<none>"}}).find("no token `<none>`"), std::string::npos);
  EXPECT_NE(refusal({{"vocab", vocab}, {"merges", write("bad.txt", "#version: 0.2\na b\nabc\n")}}).find("bad.txt:3"), std::string::npos);
  EXPECT_NE(refusal({{"vocab", write("vocab.json", "[1]")}, {"merges", merges}}).find("no JSON object"), std::string::npos);
  EXPECT_NE(refusal({{"vocab", write("tokenizer.json", "{")}}).find("no JSON object"), std::string::npos);
  EXPECT_NE(refusal({{"vocab", "/nowhere/vocab.json"}}).find("cannot be read"), std::string::npos);
}

TEST_F(BytePairTest, GoldenTextsOfGpt2) {
  const fs::path gpt2 = fs::path(goldenFolder()).parent_path() / "data/tokenizers/gpt2";
  if (!fs::exists(gpt2 / "vocab.json")) {
    GTEST_SKIP() << "GPT-2's vocabulary is not here; set PENSTOCK_SHARED";
  }
  std::map<bool, std::shared_ptr<const Tokenizer>> tokenizers;
  for (const bool space : {false, true}) {
    const auto made = make({{"vocab", (gpt2 / "vocab.json").string()},
                            {"merges", (gpt2 / "merges.txt").string()},
                            {"special", false},
                            {"prefix_space", space},
                            {"unknown", "<|endoftext|>"}});
    ASSERT_TRUE(made.ok()) << made.status().message();
    tokenizers[space] = *made;
  }
  std::ifstream lines(std::string(std::getenv("PENSTOCK_SOURCE")) + "/tests/unit/plugins/fixtures/bpe_gpt2.jsonl");
  std::string line;
  int texts = 0;
  for (; std::getline(lines, line); ++texts) {
    const Json row = Json::parse(line);
    const std::string text = row["text"];
    const Tokenizer::Tokens tokens = encodeOne(*tokenizers[row["space"]], text);
    ASSERT_EQ(tokens.ids, row["ids"].get<Ids>()) << text;
    std::vector<std::array<std::uint32_t, 2>> offsets;
    for (std::size_t i = 0; i < tokens.ids.size(); ++i) {
      offsets.push_back({tokens.starts[i], tokens.ends[i]});
    }
    ASSERT_EQ(offsets, (row["offsets"].get<std::vector<std::array<std::uint32_t, 2>>>())) << text;
  }
  EXPECT_GT(texts, 150);
}

} // namespace
} // namespace penstock
