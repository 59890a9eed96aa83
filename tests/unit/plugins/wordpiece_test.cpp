// Ids and offsets of Hugging Face's `tokenizers`: small cases here, all of them in the golden fixtures.
#include "plugin_fixture.h"

#include <nlohmann/json.hpp>

#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <sys/stat.h>
#include <unistd.h>

namespace penstock {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

class WordPieceTest : public PluginTest {
protected:
  void TearDown() override {
    for (const fs::path &path : made) {
      fs::remove_all(path);
    }
  }
  std::string vocabulary(const std::string &text) {
    made.push_back(fs::temp_directory_path() / ("penstock_vocab_" + std::to_string(getpid()) + "_" + std::to_string(made.size())));
    std::ofstream(made.back(), std::ios::binary) << text;
    return made.back().string();
  }
  std::shared_ptr<const Tokenizer> tokenizer(const std::string &vocab, const std::string &more = "") {
    auto result = makeTokenizer(*host, "wordpiece", R"({"special": false, "vocab": ")" + vocab + "\"" + more + "}", "");
    EXPECT_TRUE(result.ok()) << result.status().message();
    return result.ok() ? *result : nullptr;
  }
  Strings words(const Tokenizer &tokenizer, const std::string &text) {
    Strings found;
    for (const std::int32_t id : encodeOne(tokenizer, text).ids) {
      found.push_back(tokenizer.token(id).value());
    }
    return found;
  }
  std::vector<fs::path> made;
};

constexpr const char *small = "[PAD]\n[UNK]\nun\n##aff\n##able\n##ab\naffable\n,\na\nab\n##c\n##cde\nabcd\n##x\n\u4e2d\ne\n##e\nun\n";

TEST_F(WordPieceTest, TakesTheLongestPieces) {
  const auto made = tokenizer(vocabulary(small));
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(made->vocabularySize(), 18);
  EXPECT_EQ(made->unknownId(), 1);
  EXPECT_EQ(words(*made, "unaffable, Affable"), (Strings{"un", "##aff", "##able", ",", "affable"}));
  EXPECT_EQ(words(*made, "abcde"), (Strings{"abcd", "##e"}));
  EXPECT_EQ(words(*made, "abcx abccdex"), (Strings{"ab", "##c", "##x", "ab", "##c", "##cde", "##x"}));
  EXPECT_EQ(words(*made, "abd unaffablez"), (Strings{"[UNK]", "[UNK]"}));
  EXPECT_EQ(encodeOne(*made, "un").ids, (std::vector<std::int32_t>{17})); // of equal tokens the last
}

TEST_F(WordPieceTest, KeepsOffsetsOfTheOriginal) {
  const auto made = tokenizer(vocabulary(small));
  ASSERT_NE(made, nullptr);
  const std::string text = "\u00c9e\u0301\u200bE \u4e2d\u6587a";
  const Tokenizer::Tokens tokens = encodeOne(*made, text);
  EXPECT_EQ(pieces(text, tokens), (Strings{"\u00c9", "e", "E", "\u4e2d", "\u6587", "a"}));
  const auto cased = tokenizer(vocabulary(small), R"(, "lowercase": false)");
  ASSERT_NE(cased, nullptr);
  EXPECT_EQ(words(*cased, "Un un \u00e9"), (Strings{"[UNK]", "un", "[UNK]"}));
}

TEST_F(WordPieceTest, CountsCharactersOfLongWords) {
  std::string text = "[UNK]\na\n##a\n";
  const auto made = tokenizer(vocabulary(text));
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(encodeOne(*made, std::string(100, 'a')).ids.size(), 100u);
  EXPECT_EQ(encodeOne(*made, std::string(101, 'a')).ids, (std::vector<std::int32_t>{0}));
  std::string accents;
  for (int i = 0; i < 100; ++i) {
    accents += "\u00e1";
  }
  EXPECT_EQ(encodeOne(*made, accents).ids.size(), 100u);
  EXPECT_EQ(encodeOne(*made, accents + "a").ids.size(), 1u);
  EXPECT_EQ(encodeOne(*made, accents + "a b").ends.front(), 201u);
  EXPECT_EQ(encodeOne(*made, std::string(100, 'a'), 7).ids.size(), 7u);
}

TEST_F(WordPieceTest, ReadsLinesOfBothKinds) {
  const auto made = tokenizer(vocabulary("[UNK]\r\nab\r\n##c"));
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(made->vocabularySize(), 3);
  EXPECT_EQ(words(*made, "abc"), (Strings{"ab", "##c"}));
}

TEST_F(WordPieceTest, RefusesWhatIsNoVocabulary) {
  const auto says = [&](const std::string &parameters, const std::string &state = "") {
    const auto result = makeTokenizer(*host, "wordpiece", parameters, state);
    return result.ok() ? std::string("ok") : result.status().message();
  };
  EXPECT_NE(says("").find("needs its parameter `vocab`"), std::string::npos);
  EXPECT_NE(says(R"({"vocab": "/nowhere/vocab.txt"})").find("/nowhere/vocab.txt cannot be read"), std::string::npos);
  EXPECT_NE(says(R"({"vocab": "/"})").find("has none of tokenizer.json, vocab.txt"), std::string::npos);
  EXPECT_NE(says(R"({"vocab": ")" + vocabulary("") + "\"}").find("no tokens"), std::string::npos);
  EXPECT_NE(says(R"({"vocab": ")" + vocabulary("[UNK]\n[CLS]\nb\n") + "\"}").find("no token `[SEP]`, which `special: true`"),
            std::string::npos);
  EXPECT_NE(says(R"({"vocab": ")" + vocabulary("a\nb\n") + "\"}").find("no token `[UNK]`"), std::string::npos);
  EXPECT_NE(says(R"({"vocab": ")" + vocabulary("[UNK]\n\xc3\x28\n") + "\"}").find("line 2 of the vocabulary"), std::string::npos);
  EXPECT_NE(says(R"({"vocab": "/x"})", "nonsense").find("not one of `wordpiece`"), std::string::npos);
}

TEST_F(WordPieceTest, CarriesItsVocabularyInTheState) {
  const std::string path = vocabulary(small);
  const std::string parameters = R"({"special": false, "vocab": ")" + path + "\"}";
  auto fit = fitTokenizer(*host, "wordpiece", parameters);
  ASSERT_TRUE(fit.ok()) << fit.status().message();
  ASSERT_TRUE((*fit)->add({"any text"}).ok());
  const auto state = (*fit)->end();
  ASSERT_TRUE(state.ok());
  fs::remove(path);
  const auto made = makeTokenizer(*host, "wordpiece", parameters, *state);
  ASSERT_TRUE(made.ok()) << made.status().message();
  EXPECT_EQ(words(**made, "unaffable"), (Strings{"un", "##aff", "##able"}));
}

/// A character that is dropped sends a word over the general path and the trie, without changing its pieces.
TEST_F(WordPieceTest, TableAndTrieAgree) {
  std::uint32_t state = 17;
  const auto random = [&](std::uint32_t below) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
  };
  const std::string letters = "abcABC12";
  std::string vocabularyText = "[UNK]\n,\n.\n##!\n";
  for (int i = 0; i < 211; ++i) {
    std::string token = random(2) == 0 ? "##" : "";
    for (std::uint32_t k = 1 + random(i % 7 == 0 ? 19 : 5); k > 0; --k) {
      token += letters[random(8)];
    }
    vocabularyText += token + "\n";
  }
  const std::string path = vocabulary(vocabularyText);
  for (const char *more : {"", R"(, "lowercase": false)", R"(, "max_word_characters": 7)"}) {
    const auto made = tokenizer(path, more);
    ASSERT_NE(made, nullptr);
    for (int round = 0; round < 307; ++round) {
      std::string text, slow;
      for (std::uint32_t k = random(150); k > 0; --k) {
        const std::uint32_t kind = random(40);
        const char c = kind == 0 ? ',' : kind == 1 ? '!' : kind == 2 ? '\n' : kind < 6 ? ' ' : letters[random(8)];
        text += c;
        slow += c;
        slow += "\u200b";
      }
      const Tokenizer::Tokens fast = encodeOne(*made, text);
      ASSERT_EQ(fast.ids, encodeOne(*made, slow).ids) << text;
      for (std::size_t i = 0; i < fast.ids.size(); ++i) {
        ASSERT_LT(fast.starts[i], fast.ends[i]);
        ASSERT_EQ(text.substr(fast.starts[i], fast.ends[i] - fast.starts[i]).find_first_of(" \n"), std::string::npos) << text;
      }
    }
  }
}

TEST_F(WordPieceTest, NamesItsSpecialTokens) {
  const std::string path = vocabulary("[PAD]\n[UNK]\n[CLS]\na\n[SEP]\n");
  const auto made = makeTokenizer(*host, "wordpiece", R"({"vocab": ")" + path + "\"}", "");
  ASSERT_TRUE(made.ok()) << made.status().message();
  EXPECT_EQ((*made)->specialTokens().prefix, (std::vector<std::int32_t>{2}));
  EXPECT_EQ((*made)->specialTokens().separator, (std::vector<std::int32_t>{4}));
  EXPECT_EQ((*made)->specialTokens().suffix, (std::vector<std::int32_t>{4}));
  EXPECT_EQ(encodeOne(**made, "a").ids, (std::vector<std::int32_t>{3})) << "encode itself adds none";
  EXPECT_TRUE(tokenizer(path)->specialTokens().prefix.empty());
}

/// A folder of a model.
class WordPieceFolderTest : public WordPieceTest {
protected:
  std::string
  folder(const std::string &config,
         const std::string &lines = "[UNK]\n[CLS]\n[SEP]\nPump\npump\nleak\n\u00c9\n\u00e9\ne\nE\n\u4e2d\n##\u4e2d\n\u4e2d\u4e2d\n") {
    made.push_back(fs::temp_directory_path() / ("penstock_folder_" + std::to_string(getpid()) + "_" + std::to_string(made.size())));
    fs::remove_all(made.back());
    fs::create_directories(made.back());
    put("vocab.txt", lines);
    if (!config.empty()) {
      put("tokenizer_config.json", config);
    }
    return made.back().string();
  }
  void put(const std::string &name, const std::string &text) { std::ofstream(made.back() / name, std::ios::binary) << text; }
  void putJson(bool lowercase) {
    nlohmann::json json = {{"normalizer", {{"type", "BertNormalizer"}, {"lowercase", lowercase}}},
                           {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
                           {"model", {{"type", "WordPiece"}, {"unk_token", "[UNK]"}, {"vocab", {{"[UNK]", 0}, {"Pump", 1}, {"pump", 2}}}}}};
    put("tokenizer.json", json.dump());
  }
  /// The words of a text, with what was remarked before them, by parameter.
  Strings read(const std::string &vocab, const std::string &text, const std::string &more = "") {
    const std::string parameters = R"({"special": false, "vocab": ")" + vocab + "\"" + more + "}";
    auto fit = fitTokenizer(*host, "wordpiece", parameters);
    if (!fit.ok()) {
      return {fit.status().message()};
    }
    Strings found;
    for (const PluginNote &note : (*fit)->notes()) {
      found.push_back(note.parameter + "!");
    }
    const auto state = (*fit)->end();
    const auto tokenizer = makeTokenizer(*host, "wordpiece", R"({"vocab": "/nowhere", "special": false})", state.ok() ? *state : "");
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    for (const std::string &word : tokenizer.ok() ? words(**tokenizer, text) : Strings()) {
      found.push_back(word);
    }
    return found;
  }
};

TEST_F(WordPieceFolderTest, TheSettingsBesideTheVocabularyCount) {
  const std::string text = "Pump leak \u00c9 \u4e2d\u4e2d";
  const Strings uncased = {"pump", "leak", "e", "\u4e2d", "\u4e2d"}, cased = {"Pump", "leak", "\u00c9", "\u4e2d", "\u4e2d"};
  EXPECT_EQ(read(folder(""), text), uncased);
  EXPECT_EQ(read(folder("{}"), text), uncased);
  EXPECT_EQ(read(folder(R"({"do_lower_case": true, "strip_accents": null})"), text), uncased);
  EXPECT_EQ(read(folder(R"({"do_lower_case": false})"), text), cased);
  EXPECT_EQ(read(folder(R"({"do_lower_case": false})") + "/vocab.txt", text), cased);
  EXPECT_EQ(read(folder(R"({"do_lower_case": true, "strip_accents": false})"), text),
            (Strings{"pump", "leak", "\u00e9", "\u4e2d", "\u4e2d"}));
  EXPECT_EQ(read(folder(R"({"do_lower_case": false, "strip_accents": true})"), text), (Strings{"Pump", "leak", "E", "\u4e2d", "\u4e2d"}));
  EXPECT_EQ(read(folder(R"({"tokenize_chinese_chars": false})"), text), (Strings{"pump", "leak", "e", "\u4e2d\u4e2d"}));
}

TEST_F(WordPieceFolderTest, WhatIsWrittenCountsAndAContradictionIsRemarked) {
  const std::string cased = folder(R"({"do_lower_case": false})");
  EXPECT_EQ(read(cased, "Pump", R"(, "lowercase": true)"), (Strings{"lowercase!", "pump"}));
  EXPECT_EQ(read(cased, "Pump", R"(, "lowercase": false)"), (Strings{"Pump"}));
  EXPECT_EQ(read(cased + "/vocab.txt", "Pump", R"(, "lowercase": true)"), (Strings{"lowercase!", "pump"}));
  EXPECT_EQ(read(folder(""), "Pump", R"(, "lowercase": false)"), (Strings{"Pump"})) << "nothing contradicts it";
  EXPECT_EQ(read(folder(R"({"strip_accents": true})"), "\u00c9", R"(, "strip_accents": false)"), (Strings{"strip_accents!", "\u00e9"}));
  EXPECT_EQ(read(folder(R"({"unk_token": "e"})"), "zzz"), (Strings{"e"}));
  EXPECT_EQ(read(folder(R"({"unk_token": {"content": "e"}})"), "zzz", R"(, "unknown": "E")"), (Strings{"unknown!", "E"}));
  const auto fit = fitTokenizer(*host, "wordpiece", R"({"lowercase": true, "vocab": ")" + cased + "\"}");
  ASSERT_TRUE(fit.ok());
  EXPECT_EQ((*fit)->notes()[0].text, "`lowercase: true` is written, and `tokenizer_config.json` says `do_lower_case`: false, in " + cased +
                                         "; what is written counts");
}

TEST_F(WordPieceFolderTest, TokenizerJsonComesFirst) {
  std::string path = folder("");
  putJson(false);
  EXPECT_EQ(read(path, "Pump"), (Strings{"Pump"}));
  EXPECT_EQ(read(path, "Pump", R"(, "lowercase": true)"), (Strings{"lowercase!", "pump"}));
  EXPECT_EQ(read(path + "/vocab.txt", "Pump"), (Strings{"pump"})) << "the file that is named counts";
  path = folder(R"({"do_lower_case": true, "tokenizer_class": "BertTokenizer"})");
  putJson(false);
  EXPECT_EQ(read(path, "Pump"), (Strings{"vocab!", "pump"})) << "as in Transformers";
  path = folder(R"({"do_lower_case": true, "tokenizer_class": "PreTrainedTokenizerFast"})");
  putJson(false);
  EXPECT_EQ(read(path, "Pump"), (Strings{"Pump"})) << "as in Transformers";
}

TEST_F(WordPieceFolderTest, RefusesWhatItCannotRead) {
  const auto says = [&](const std::string &vocab, const std::string &words) {
    const Strings found = read(vocab, "");
    EXPECT_TRUE(found.size() == 1 && found[0].find(words) != std::string::npos) << (found.empty() ? "" : found[0]);
  };
  std::string path = folder("");
  fs::remove(made.back() / "vocab.txt");
  says(path, "has none of tokenizer.json, vocab.txt");
  ASSERT_EQ(::mkfifo((path + "/vocab.txt").c_str(), 0600), 0);
  says(path, "it is a FIFO");
  says("/dev/zero", "it is a device");
  path = folder("");
  ASSERT_EQ(::mkfifo((path + "/tokenizer_config.json").c_str(), 0600), 0);
  says(path, "tokenizer_config.json cannot be read: it is a FIFO");
  says(folder("[]"), "tokenizer_config.json: it is not a JSON object");
  says(folder("{"), "tokenizer_config.json: it is not a JSON object");
  says(folder(R"({"do_lower_case": 1})"), "`do_lower_case` is neither true nor false");
  says(folder(R"({"added_tokens_decoder": {"13": {"content": "new", "special": false}}})"), "its added token `new` is no special token");
  path = folder("");
  put("added_tokens.json", R"({"new": 13})");
  says(path, "its token `new` is no special token");
  put("special_tokens_map.json", R"({"additional_special_tokens": ["new"]})");
  EXPECT_EQ(read(path, "Pump"), (Strings{"pump"}));
}

TEST_F(WordPieceTest, ReadsTokenizerJson) {
  const auto file = [&](const std::function<void(nlohmann::json &)> &change) {
    nlohmann::json json = {{"normalizer",
                            {{"type", "BertNormalizer"},
                             {"clean_text", true},
                             {"handle_chinese_chars", true},
                             {"strip_accents", nullptr},
                             {"lowercase", false}}},
                           {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
                           {"model",
                            {{"type", "WordPiece"},
                             {"unk_token", "<u>"},
                             {"continuing_subword_prefix", "##"},
                             {"max_input_chars_per_word", 5},
                             {"vocab", {{"<u>", 3}, {"Un", 0}, {"##un", 1}, {"[S]", 2}, {"[C]", 4}}}}},
                           {"post_processor", {{"type", "TemplateProcessing"}}}};
    const auto special = [](const char *name) { return nlohmann::json{{"SpecialToken", {{"id", name}, {"type_id", 0}}}}; };
    const auto text = [](const char *name) { return nlohmann::json{{"Sequence", {{"id", name}, {"type_id", 0}}}}; };
    json["post_processor"]["single"] = nlohmann::json::array({special("[C]"), text("A"), special("[S]")});
    json["post_processor"]["pair"] =
        nlohmann::json::array({special("[C]"), text("A"), special("[S]"), special("[C]"), text("B"), special("[S]")});
    change(json);
    const std::string path = vocabulary(json.dump()) + ".json";
    std::ofstream(path) << json.dump();
    made.emplace_back(path);
    return path;
  };
  const auto says = [&](const std::function<void(nlohmann::json &)> &change, const std::string &more = "") {
    const auto result = makeTokenizer(*host, "wordpiece", R"({"vocab": ")" + file(change) + "\"" + more + "}", "");
    return result.ok() ? std::string("ok") : result.status().message();
  };
  const auto made = makeTokenizer(*host, "wordpiece", R"({"vocab": ")" + file([](auto &) {}) + "\"}", "");
  ASSERT_TRUE(made.ok()) << made.status().message();
  EXPECT_EQ(words(**made, "Unun un Ununun"), (Strings{"Un", "##un", "<u>", "<u>"})) << "cased, at most five characters";
  EXPECT_EQ((*made)->specialTokens().separator, (std::vector<std::int32_t>{2, 4}));
  EXPECT_EQ(says([](auto &j) { j["normalizer"]["strip_accents"] = true; }), "ok");
  EXPECT_NE(says([](auto &j) { j["normalizer"]["strip_accents"] = 1; }).find("its `strip_accents` is neither true nor false"),
            std::string::npos);
  EXPECT_NE(says([](auto &j) { j["normalizer"]["clean_text"] = false; }).find("`normalizer.clean_text`"), std::string::npos);
  EXPECT_NE(says([](auto &j) { j["normalizer"]["type"] = "Lowercase"; }).find("normalizer is `Lowercase`"), std::string::npos);
  EXPECT_NE(says([](auto &j) { j["pre_tokenizer"]["type"] = "Whitespace"; }).find("pre-tokenizer is `Whitespace`"), std::string::npos);
  EXPECT_NE(says([](auto &j) { j["model"]["type"] = "BPE"; }).find("its model is `BPE`"), std::string::npos);
  EXPECT_NE(says([](auto &j) { j["model"]["unk_token"] = "?"; }).find("no token `?`"), std::string::npos);
  EXPECT_NE(says([](auto &j) { j["post_processor"]["pair"].erase(0); }).find("around two texts than around one"), std::string::npos);
  EXPECT_EQ(says([](auto &j) { j["normalizer"]["lowercase"] = true; }), "ok");
}

/// SHA-256 (FIPS 180-4) in hexadecimal.
std::string sha256(std::string text) {
  std::array<std::uint32_t, 64> k;
  std::array<std::uint32_t, 8> h;
  const auto fraction = [](long double root) {
    return static_cast<std::uint32_t>((root - static_cast<std::uint32_t>(root)) * 4294967296.0L);
  };
  for (int n = 2, found = 0; found < 64; ++n) {
    bool prime = true;
    for (int d = 2; d * d <= n; ++d) {
      prime = prime && n % d != 0;
    }
    if (prime) {
      k[static_cast<std::size_t>(found)] = fraction(std::cbrt(static_cast<long double>(n)));
      if (found < 8) {
        h[static_cast<std::size_t>(found)] = fraction(std::sqrt(static_cast<long double>(n)));
      }
      ++found;
    }
  }
  const std::uint64_t bits = text.size() * 8;
  text += '\x80';
  text.resize((text.size() + 8 + 63) / 64 * 64 - 8, '\0');
  for (int i = 7; i >= 0; --i) {
    text += static_cast<char>(bits >> (8 * i));
  }
  const auto rotate = [](std::uint32_t x, int n) { return x >> n | x << (32 - n); };
  for (std::size_t block = 0; block < text.size(); block += 64) {
    std::array<std::uint32_t, 64> w;
    for (std::size_t i = 0; i < 16; ++i) {
      w[i] = 0;
      for (std::size_t b = 0; b < 4; ++b) {
        w[i] = w[i] << 8 | static_cast<unsigned char>(text[block + 4 * i + b]);
      }
    }
    for (std::size_t i = 16; i < 64; ++i) {
      w[i] = w[i - 16] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
             (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
    }
    auto v = h;
    for (std::size_t i = 0; i < 64; ++i) {
      const std::uint32_t t1 =
          v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
      const std::uint32_t t2 = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
      v = {t1 + t2, v[0], v[1], v[2], v[3] + t1, v[4], v[5], v[6]};
    }
    for (std::size_t i = 0; i < 8; ++i) {
      h[i] += v[i];
    }
  }
  std::string hex;
  for (const std::uint32_t word : h) {
    char buffer[9];
    std::snprintf(buffer, sizeof buffer, "%08x", word);
    hex += buffer;
  }
  return hex;
}

TEST(Sha256, KnownValues) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

std::string utf8(char32_t c) {
  std::string text;
  if (c < 0x80) {
    text = {static_cast<char>(c)};
  } else if (c < 0x800) {
    text = {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
  } else if (c < 0x10000) {
    text = {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 63)), static_cast<char>(0x80 | (c & 63))};
  } else {
    text = {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 63)), static_cast<char>(0x80 | (c >> 6 & 63)),
            static_cast<char>(0x80 | (c & 63))};
  }
  return text;
}

struct Golden {
  const char *name, *lowercase;
};
class WordPieceGolden : public WordPieceTest, public ::testing::WithParamInterface<Golden> {
protected:
  /// Null, with a message, where the fixtures are not on this machine.
  std::shared_ptr<const Tokenizer> golden() {
    folder = goldenFolder();
    const fs::path vocab = fs::path(folder).parent_path() / "data/tokenizers/bert-base-uncased/vocab.txt";
    if (folder.empty() || !fs::exists(vocab)) {
      return nullptr;
    }
    return tokenizer(vocab.string(), std::string(R"(, "lowercase": )") + GetParam().lowercase);
  }
  std::string folder;
};

TEST_P(WordPieceGolden, EveryUnicodeScalar) {
  const auto made = golden();
  if (made == nullptr) {
    GTEST_SKIP() << "the golden fixtures are not here; set PENSTOCK_GOLDEN";
  }
  const auto blocks = nlohmann::json::parse(readWhole(folder + "/wordpiece_" + GetParam().name + "_scalars.json"));
  ASSERT_EQ(blocks.size(), 4344u);
  for (const auto &[key, hash] : blocks.items()) {
    const char32_t first = static_cast<char32_t>(std::stoul(key, nullptr, 16));
    std::string lines;
    for (char32_t c = first; c < first + 256; ++c) {
      if (c >= 0xD800 && c <= 0xDFFF) {
        continue;
      }
      char name[16];
      std::snprintf(name, sizeof name, "U+%04X", static_cast<unsigned>(c));
      lines += name;
      for (const std::int32_t id : encodeOne(*made, "a" + utf8(c) + "b").ids) {
        lines += " " + std::to_string(id);
      }
      lines += " | ";
      std::string alone;
      for (const std::int32_t id : encodeOne(*made, utf8(c)).ids) {
        alone += (alone.empty() ? "" : " ") + std::to_string(id);
      }
      lines += alone + "\n";
    }
    EXPECT_EQ(sha256(lines), hash.get<std::string>()) << "block " << key;
  }
}

TEST_P(WordPieceGolden, TextsWithOffsets) {
  const auto made = golden();
  if (made == nullptr) {
    GTEST_SKIP() << "the golden fixtures are not here; set PENSTOCK_GOLDEN";
  }
  const std::string command = "gzip -dc '" + folder + "/wordpiece_" + GetParam().name + ".jsonl.gz'";
  const std::unique_ptr<std::FILE, int (*)(std::FILE *)> pipe(popen(command.c_str(), "r"), pclose);
  ASSERT_NE(pipe, nullptr);
  std::string all;
  std::array<char, 65536> buffer;
  for (std::size_t size = 0; (size = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) > 0;) {
    all.append(buffer.data(), size);
  }
  std::istringstream lines(all);
  std::string line;
  int texts = 0;
  while (std::getline(lines, line)) {
    const auto row = nlohmann::json::parse(line);
    const std::string text = row["text"];
    const Tokenizer::Tokens tokens = encodeOne(*made, text);
    ASSERT_EQ(tokens.ids, row["ids"].get<std::vector<std::int32_t>>()) << text;
    std::vector<std::array<std::uint32_t, 2>> offsets;
    for (std::size_t i = 0; i < tokens.ids.size(); ++i) {
      offsets.push_back({tokens.starts[i], tokens.ends[i]});
    }
    const auto expected = row["offsets"].get<std::vector<std::array<std::uint32_t, 2>>>();
    ASSERT_EQ(offsets, expected) << text;
    ++texts;
  }
  EXPECT_GT(texts, 500);
}

INSTANTIATE_TEST_SUITE_P(Rules, WordPieceGolden, ::testing::Values(Golden{"uncased", "true"}, Golden{"cased_rules", "false"}),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
} // namespace penstock
