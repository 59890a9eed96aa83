#include "plugin_fixture.h"

#include <random>
#include <thread>

namespace penstock {
namespace {

using Strings = std::vector<std::string>;

class WordsTest : public PluginTest {};
class CharactersTest : public PluginTest {};

// Expected pieces are what Python 3.11 prints for re.findall(r"\w+|[^\w\s]", text).
TEST_F(WordsTest, SplitsAsPythonDoes) {
  const std::pair<std::string, Strings> cases[] = {
      {"Hello, world_1!", {"Hello", ",", "world_1", "!"}},
      {"", {}},
      {" \t\n\x1c\x1f\u00a0\u3000\u2028", {}},
      {"a\u0301b", {"a", "\u0301", "b"}},                 // a mark is no word character
      {"x\u00b2\u00bd\u2167y", {"x\u00b2\u00bd\u2167y"}}, // other numbers are
      {"\u4e2d\u6587\uff0c\u3042", {"\u4e2d\u6587", "\uff0c", "\u3042"}},
      {"don't\u2019s", {"don", "'", "t", "\u2019", "s"}},
      {"\U0001f468\u200d\U0001f469", {"\U0001f468", "\u200d", "\U0001f469"}},
      {"\x7f\x01", {"\x7f", "\x01"}},
      {"\u0660\u0661\u0e01\u0e33\u0e31", {"\u0660\u0661\u0e01\u0e33", "\u0e31"}},
  };
  const auto tokenizer = fitted("words", "", {"a a"});
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
  for (const char *state : {"", "penstock-words 1", "penstock-words 2\na\n", "penstock-words 1\na\n\nb\n", "penstock-words 1\na\na\n",
                            "penstock-words 1\na\nb", "penstock-words 1\n\xff\n", "penstock-characters 1\na\n"}) {
    EXPECT_FALSE(makeTokenizer(*host, "words", "", state).ok()) << state;
  }
  EXPECT_TRUE(makeTokenizer(*host, "words", "", "penstock-words 1\n").ok());
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

} // namespace
} // namespace penstock
