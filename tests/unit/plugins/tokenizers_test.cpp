#include "plugin_fixture.h"

#include <random>
#include <thread>

namespace penstock {
namespace {

using Strings = std::vector<std::string>;

class WordsTest : public PluginTest {};
class CharactersTest : public PluginTest {};

// Without marks, expected pieces are what Python 3.11 prints for re.findall(r"\w+|[^\w\s]", text).
TEST_F(WordsTest, SplitsAsPythonDoesAndKeepsMarks) {
  const std::pair<std::string, Strings> cases[] = {
      {"Hello, world_1!", {"Hello", ",", "world_1", "!"}},
      {"", {}},
      {" \t\n\x1c\x1f\u00a0\u3000\u2028", {}},
      {"a\u0301b", {"a\u0301b"}},                         // a mark belongs to its word
      {"x\u00b2\u00bd\u2167y", {"x\u00b2\u00bd\u2167y"}}, // other numbers are
      {"\u4e2d\u6587\uff0c\u3042", {"\u4e2d\u6587", "\uff0c", "\u3042"}},
      {"don't\u2019s", {"don", "'", "t", "\u2019", "s"}},
      {"\U0001f468\u200d\U0001f469", {"\U0001f468\u200d", "\U0001f469"}},
      {"\u2764\ufe0f!", {"\u2764\ufe0f", "!"}}, // or to its sign
      {" \u0301x", {"\u0301x"}},                // behind nothing it begins a word
      // Devanagari, Arabic with harakat, Thai, Latin decomposed, Persian with a joiner
      {"\u0939\u093f\u0928\u094d\u0926\u0940 \u092e\u0947\u0902", {"\u0939\u093f\u0928\u094d\u0926\u0940", "\u092e\u0947\u0902"}},
      {"\u0643\u064e\u062a\u064e\u0628\u064e", {"\u0643\u064e\u062a\u064e\u0628\u064e"}},
      {"\u0e19\u0e49\u0e33\u0e21\u0e31\u0e19", {"\u0e19\u0e49\u0e33\u0e21\u0e31\u0e19"}},
      {"Mu\u0308ller, cafe\u0301", {"Mu\u0308ller", ",", "cafe\u0301"}},
      {"\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", {"\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"}},
      {"\x7f\x01", {"\x7f", "\x01"}},
      {"\u0660\u0661\u0e01\u0e33\u0e31", {"\u0660\u0661\u0e01\u0e33\u0e31"}},
  };
  const auto tokenizer = fitted("words", "", {"a a a\u0301"});
  ASSERT_NE(tokenizer, nullptr);
  for (const auto &[text, expected] : cases) {
    EXPECT_EQ(pieces(text, encodeOne(*tokenizer, text)), expected) << text;
  }
  const std::string zero("a\0b", 3);
  EXPECT_EQ(pieces(zero, encodeOne(*tokenizer, zero)), (Strings{"a", std::string(1, '\0'), "b"}));
}

TEST_F(WordsTest, OrdersTheVocabularyByCountThenCodePoint) {
  const Strings texts = {"b b a a c c c", "\u00e9 z \u00e9 z", "once", "\U0001d54f \U0001d54f \uffee \uffee"};
  const auto tokenizer = fitted("words", "", texts);
  ASSERT_NE(tokenizer, nullptr);
  Strings vocabulary;
  for (std::int32_t id = 0; id < tokenizer->vocabularySize(); ++id) {
    vocabulary.push_back(tokenizer->token(id).value());
  }
  EXPECT_EQ(vocabulary, (Strings{"<unk>", "c", "a", "b", "z", "\u00e9", "\uffee", "\U0001d54f"}));
  EXPECT_EQ(tokenizer->unknownId(), 0);
  EXPECT_EQ(encodeOne(*tokenizer, "c once <unk>").ids, (std::vector<std::int32_t>{1, 0, 0, 0, 0}));
  EXPECT_FALSE(tokenizer->token(-1).ok());
  EXPECT_FALSE(tokenizer->token(8).ok());

  const auto all = fitted("words", R"({"min_count": 1, "vocabulary": 3})", texts);
  ASSERT_NE(all, nullptr);
  EXPECT_EQ(all->vocabularySize(), 4);
  EXPECT_EQ(all->token(3).value(), "b");
  const auto none = fitted("words", R"({"min_count": 7})", texts);
  ASSERT_NE(none, nullptr);
  EXPECT_EQ(none->vocabularySize(), 1);
}

TEST_F(WordsTest, CutsAtTheLimit) {
  const auto tokenizer = fitted("words", "", {"a b a b"});
  ASSERT_NE(tokenizer, nullptr);
  const std::string text = "b, a c";
  EXPECT_EQ(encodeOne(*tokenizer, text, 3).ids, (std::vector<std::int32_t>{2, 0, 1}));
  EXPECT_TRUE(encodeOne(*tokenizer, text, 0).ids.empty());
  EXPECT_EQ(encodeOne(*tokenizer, text, 99).ids.size(), 4u);
}

TEST_F(WordsTest, RefusesDamagedVocabularies) {
  for (const char *state : {"", "penstock-words 1", "penstock-words 3\na\n", "penstock-words 1\na\n\nb\n", "penstock-words 1\na\na\n",
                            "penstock-words 1\na\nb", "penstock-words 1\n\xff\n", "penstock-characters 1\na\n"}) {
    EXPECT_FALSE(makeTokenizer(*host, "words", "", state).ok()) << state;
  }
  EXPECT_TRUE(makeTokenizer(*host, "words", "", "penstock-words 1\n").ok());
}

// A run of an earlier release keeps its ids: there a mark was a token.
TEST_F(WordsTest, CutsByAnEarlierVocabularyAsItWasMade) {
  const Result<std::shared_ptr<const Tokenizer>> earlier = makeTokenizer(*host, "words", "", "penstock-words 1\na\n\u0301\n");
  ASSERT_TRUE(earlier.ok()) << earlier.status().message();
  const std::string text = "a\u0301 a";
  EXPECT_EQ(pieces(text, encodeOne(**earlier, text)), (Strings{"a", "\u0301", "a"}));
}

TEST_F(WordsTest, JoinsNeighbours) {
  const Strings texts = {"a b a b", "b  c,\ta b"};
  const auto pairs = fitted("words", R"({"ngrams": [1, 2]})", texts);
  ASSERT_NE(pairs, nullptr);
  Strings vocabulary;
  for (std::int32_t id = 0; id < pairs->vocabularySize(); ++id) {
    vocabulary.push_back(pairs->token(id).value());
  }
  EXPECT_EQ(vocabulary, (Strings{"<unk>", "b", "a", "a b"}));
  // A word that is not known is a token, a pair is none.
  const std::string text = "x a b  a";
  const Tokenizer::Tokens tokens = encodeOne(*pairs, text);
  EXPECT_EQ(tokens.ids, (std::vector<std::int32_t>{0, 2, 3, 1, 2}));
  EXPECT_EQ(pieces(text, tokens), (Strings{"x", "a", "a b", "b", "a"}));
  for (std::int64_t limit = 0; limit <= 5; ++limit) {
    const Tokenizer::Tokens cut = encodeOne(*pairs, text, limit);
    EXPECT_TRUE(std::equal(cut.ids.begin(), cut.ids.end(), tokens.ids.begin())) << limit;
    EXPECT_EQ(static_cast<std::int64_t>(cut.ids.size()), limit);
  }

  const auto longer = fitted("words", R"({"ngrams": [2, 3], "min_count": 1})", {"a b c d", "", "e"});
  ASSERT_NE(longer, nullptr);
  const std::string all = "a b c d";
  EXPECT_EQ(pieces(all, encodeOne(*longer, all)), (Strings{"a b", "a b c", "b c", "b c d", "c d"}));
  EXPECT_TRUE(encodeOne(*longer, "a").ids.empty());
  EXPECT_TRUE(encodeOne(*longer, "").ids.empty());
  EXPECT_FALSE(fitTokenizer(*host, "words", R"({"ngrams": [2, 1]})").ok());
  EXPECT_FALSE(fitTokenizer(*host, "words", R"({"ngrams": [1, 1.5]})").ok());
  EXPECT_FALSE(fitTokenizer(*host, "words", R"({"ngrams": [1, 9]})").ok());
}

// These ids are in the weights of every run: they never change.
TEST_F(WordsTest, HashesWithoutAVocabulary) {
  const auto tokenizer = fitted("words", R"({"ngrams": [1, 2], "hash": 1048576})", {"what train says does not matter"});
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->vocabularySize(), 1048576);
  EXPECT_EQ(tokenizer->unknownId(), 0);
  const std::string text = "hydraulic hose \u4e2d";
  EXPECT_EQ(encodeOne(*tokenizer, text).ids, (std::vector<std::int32_t>{688754, 1035119, 187443, 529082, 1032824}));
  EXPECT_EQ(pieces(text, encodeOne(*tokenizer, text)), (Strings{"hydraulic", "hydraulic hose", "hose", "hose \u4e2d", "\u4e2d"}));
  EXPECT_TRUE(encodeOne(*tokenizer, " ").ids.empty());

  const auto few = fitted("words", R"({"hash": 2})", {});
  ASSERT_NE(few, nullptr);
  EXPECT_EQ(encodeOne(*few, "a b c").ids, (std::vector<std::int32_t>{1, 1, 1}));
  EXPECT_FALSE(fitTokenizer(*host, "words", R"({"hash": 1})").ok());
  EXPECT_FALSE(fitTokenizer(*host, "words", R"({"hash": 64, "vocabulary": 5})").ok());
}

TEST_F(WordsTest, GivesThreadsTheSameIds) {
  std::mt19937 random(7);
  Strings texts;
  for (int i = 0; i < 211; ++i) {
    std::string text;
    for (int k = static_cast<int>(random() % 37); k > 0; --k) {
      text += std::string(1 + random() % 13, static_cast<char>('a' + random() % 5)) + (random() % 3 == 0 ? "," : " ");
    }
    texts.push_back(text);
  }
  const auto tokenizer = fitted("words", "", texts);
  ASSERT_NE(tokenizer, nullptr);
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  Tokenizer::Tokens expected;
  ASSERT_TRUE(tokenizer->encode(views, -1, true, expected).ok());
  std::vector<std::thread> threads;
  std::vector<int> equal(5);
  for (std::size_t t = 0; t < equal.size(); ++t) {
    threads.emplace_back([&, t] {
      Tokenizer::Tokens mine;
      equal[t] = tokenizer->encode(views, -1, true, mine).ok() && mine.ids == expected.ids && mine.ends == expected.ends &&
                 mine.offsets == expected.offsets;
    });
  }
  for (std::thread &thread : threads) {
    thread.join();
  }
  EXPECT_EQ(equal, (std::vector<int>{1, 1, 1, 1, 1}));
}

TEST_F(CharactersTest, TakesVisibleCharacters) {
  const auto tokenizer = fitted("characters", "", {"\u4e2d\u6587\u4e2d", "\u6587 \u4e2dx"});
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->vocabularySize(), 3);
  const std::string text = "\u6587\u3000x\u4e2d\U0001f468";
  const Tokenizer::Tokens tokens = encodeOne(*tokenizer, text);
  EXPECT_EQ(tokens.ids, (std::vector<std::int32_t>{2, 0, 1, 0}));
  EXPECT_EQ(pieces(text, tokens), (Strings{"\u6587", "x", "\u4e2d", "\U0001f468"}));
}

TEST_F(CharactersTest, JoinsCharactersOfOneWord) {
  const auto tokenizer = fitted("characters", R"({"ngrams": [2, 3], "min_count": 1})", {"abc de", "\u4e2d\u6587"});
  ASSERT_NE(tokenizer, nullptr);
  const std::string text = "xabc d\u4e2d\u6587";
  EXPECT_EQ(pieces(text, encodeOne(*tokenizer, text)), (Strings{"ab", "abc", "bc", "\u4e2d\u6587"}));
}

} // namespace
} // namespace penstock
