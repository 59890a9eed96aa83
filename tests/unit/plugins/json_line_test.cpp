// Answers of plugins as lines of JSON: against a parser that is no one-pass scanner, on texts that are changed at random.
#include "runtime/base/printable.h"
#include "runtime/base/utf8.h"
#include "runtime/plugin/json_line.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <random>
#include <regex>

namespace penstock {
namespace {

TEST(JsonLine, TellsTheKeysThatPredictWrites) {
  const auto taken = [](std::string_view text) {
    std::string_view key;
    EXPECT_TRUE(isJsonLine(text, &key)) << text;
    return std::string(key);
  };
  EXPECT_EQ(taken(R"({"row": 1, "error": 2})"), "row");
  EXPECT_EQ(taken(R"({"a": {"b": 1}, "error" : null})"), "error");
  EXPECT_EQ(taken(R"({"a": "row", "rows": 1, "b": [{"row": 1}], "c": {"error": 2}})"), "");
  EXPECT_EQ(taken("{}"), "");
}

TEST(JsonLine, TakesObjectsOnly) {
  for (const char *good :
       {"{}", " {\t} ", R"({"a": 1})", R"({"a": [], "b": [[], {}], "c": {"d": null}})", R"({"": "\u00e9\ud83d\ude00\n\\\"/"})",
        R"({"a": -0.5e+10, "b": 0, "c": 1E5, "d": [true, false, null]})", "{\"a\": \"\u4e2d\U0001f600\x7f\"}"}) {
    EXPECT_TRUE(isJsonLine(good)) << good;
  }
  for (const char *bad : {"",
                          " ",
                          "{",
                          "}",
                          "[]",
                          "1",
                          "\"a\"",
                          "{} {}",
                          "{},",
                          "{\"a\"}",
                          "{\"a\":}",
                          "{\"a\" 1}",
                          "{\"a\": 1,}",
                          "{,}",
                          "{\"a\": [1,]}",
                          "{\"a\": [1 2]}",
                          "{\"a\": 01}",
                          "{\"a\": 1.}",
                          "{\"a\": .5}",
                          "{\"a\": +1}",
                          "{\"a\": 1e}",
                          "{\"a\": -}",
                          "{\"a\": NaN}",
                          "{\"a\": tru}",
                          "{\"a\": \"\\x\"}",
                          "{\"a\": \"\\u12\"}",
                          "{\"a\": \"\\ud800\"}",
                          "{\"a\": \"\\udc00\"}",
                          "{\"a\": \"b}",
                          "{\"a\": ]}",
                          "{\"a\": {]}",
                          "{a: 1}",
                          "{'a': 1}",
                          "{\"a\": \"\xff\"}",
                          "{\"a\": \"\xed\xa0\x80\"}",
                          "{\"a\":\n1}",
                          "{\"a\": \"\n\"}",
                          "{}\n",
                          "{}\r"}) {
    EXPECT_FALSE(isJsonLine(bad)) << printable(bad);
  }
  EXPECT_FALSE(isJsonLine(std::string_view("{}\0", 3)));
  EXPECT_TRUE(isJsonLine("{\"a\": " + std::string(500, '[') + std::string(500, ']') + "}"));
  EXPECT_FALSE(isJsonLine("{\"a\": " + std::string(100000, '[') + std::string(100000, ']') + "}"));
}

TEST(JsonLine, AgreesWithAParser) {
  std::mt19937 random(17);
  const std::regex large("[eE][+-]?[0-9]{3}");
  const std::string seeds[] = {R"({"label": "routine", "confidence": 0.51952845, "probabilities": {"failure": 0.48, "b\"\\": 5e-1}})",
                               R"({"nearest": [{"text": "p\u00fcmpe, 12345678", "row": 12}, {}], "x": [true, null, -1]})",
                               "{\"\u4e2d\u6587\": [\"\U0001f468\", [[]], {\"k\": {\"l\": \"0123456789abcdef\"}}]}"};
  const std::string marks = "{}[]\",:\\/0159.eE+-utfn \t\n\x01\x80\xe4\xff";
  int taken = 0;
  for (int round = 0; round < 30000; ++round) {
    std::string text = seeds[random() % std::size(seeds)];
    for (unsigned k = random() % 3; k > 0; --k) {
      const std::size_t at = random() % text.size();
      const char mark = marks[random() % marks.size()];
      switch (random() % 4) {
      case 0:
        text[at] = mark;
        break;
      case 1:
        text.insert(at, 1, mark);
        break;
      case 2:
        text.erase(at, 1 + random() % 3);
        break;
      default:
        text.resize(at + 1);
      }
    }
    if (std::regex_search(text, large)) {
      continue; // a number beyond a double is JSON, and none for the parser
    }
    const nlohmann::json parsed = nlohmann::json::parse(text, nullptr, false);
    const bool wanted = parsed.is_object() && text.find_first_of("\n\r") == std::string::npos;
    ASSERT_EQ(isJsonLine(text), wanted) << printable(text);
    taken += wanted ? 1 : 0;
  }
  EXPECT_GT(taken, 8000);
  EXPECT_LT(taken, 25000);
}

TEST(Printable, KeepsLinesAndNothingElse) {
  EXPECT_EQ(printableLines("a\nb\x1b[2J\r\n\xff"), "a\nb\uFFFD[2J\uFFFD\n\uFFFD");
  EXPECT_TRUE(isUtf8("") && isUtf8("a\u00e9\u4e2d\U0001f600"));
  for (const char *bad : {"\x80", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\xff"}) {
    EXPECT_FALSE(isUtf8(bad));
  }
}

} // namespace
} // namespace penstock
