#include "runtime/base/utf8.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

constexpr std::size_t fine = std::string_view::npos;

TEST(Utf8, EveryScalarSurvivesTheRoundTrip) {
  for (char32_t scalar = 0; scalar <= 0x10FFFF; ++scalar) {
    if (scalar >= 0xD800 && scalar <= 0xDFFF) {
      continue;
    }
    std::string text;
    appendUtf8(text, scalar);
    ASSERT_EQ(findInvalidUtf8(text), fine) << static_cast<unsigned>(scalar);
    std::size_t at = 0;
    ASSERT_EQ(nextScalar(text, at), scalar);
    ASSERT_EQ(at, text.size());
  }
}

TEST(Utf8, FindsTheFirstBadByte) {
  EXPECT_EQ(findInvalidUtf8(""), fine);
  EXPECT_EQ(findInvalidUtf8("\x80"), 0U);
  EXPECT_EQ(findInvalidUtf8("ab\xFF"), 2U);
  EXPECT_EQ(findInvalidUtf8("\xC0\xAF"), 0U) << "overlong";
  EXPECT_EQ(findInvalidUtf8("\xE0\x80\x80"), 0U) << "overlong";
  EXPECT_EQ(findInvalidUtf8("x\xED\xA0\x80"), 1U) << "surrogate";
  EXPECT_EQ(findInvalidUtf8("\xF4\x90\x80\x80"), 0U) << "above U+10FFFF";
  EXPECT_EQ(findInvalidUtf8("\xC3\xA9\xE4\xB8"), 2U) << "cut off";
  EXPECT_EQ(findInvalidUtf8("\xF0\x9F\x98\x41"), 0U);
  EXPECT_EQ(findInvalidUtf8(std::string_view("a\0b", 3)), fine);
}

TEST(Utf8, AgreesWithTheDefinitionOnAllPairsAndAtEveryOffset) {
  // A byte 0x80..0xFF in every place of a long ASCII text, so that the wide scan is tried at every alignment.
  for (std::size_t size : {1U, 31U, 32U, 33U, 67U, 131U}) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, 'x');
      text[at] = '\xE9';
      EXPECT_EQ(findInvalidUtf8(text), at);
    }
  }
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string text = {static_cast<char>(first), static_cast<char>(second)};
      const bool two = first >= 0xC2 && first <= 0xDF && second >= 0x80 && second <= 0xBF;
      const std::size_t expected = first >= 0x80 ? (two ? fine : 0U) : second < 0x80 ? fine : 1U;
      ASSERT_EQ(findInvalidUtf8(text), expected) << first << " " << second;
    }
  }
}

TEST(Utf8, CountsScalars) {
  EXPECT_EQ(countScalars(""), 0);
  EXPECT_EQ(countScalars("a\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80"), 4);
}

} // namespace
} // namespace penstock
