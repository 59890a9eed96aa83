#include "runtime/text/clean.h"

#include "runtime/base/utf8.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <cstdlib>
#include <random>

namespace penstock {
namespace {

std::string clean(std::string_view text, const CleanOptions &options) {
  CleanScratch scratch;
  return std::string(cleanText(text, options, scratch));
}

std::string reference(const std::string &text, bool compat) {
  utf8proc_uint8_t *out = nullptr;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | (compat ? UTF8PROC_COMPAT : 0));
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t *>(text.data()), static_cast<utf8proc_ssize_t>(text.size()), &out, options);
  std::string result(reinterpret_cast<char *>(out), static_cast<std::size_t>(size));
  std::free(out);
  return result;
}

TEST(Clean, DefaultsAreNfcAndStrip) {
  EXPECT_EQ(clean("  Caf\x65\xCC\x81 \t\n", {}), "Caf\xC3\xA9");
  EXPECT_EQ(clean("", {}), "");
  EXPECT_EQ(clean(" \xE3\x80\x80\xC2\xA0 ", {}), "") << "white space of Unicode only";
  EXPECT_EQ(clean("a  B", {}), "a  B");
}

TEST(Clean, LowersAndCollapses) {
  CleanOptions options;
  options.lowercase = options.collapse = true;
  EXPECT_EQ(clean("  L/H  \xC3\x89T\xC3\x89\r\n\xCE\xA9 ", options), "l/h \xC3\xA9t\xC3\xA9 \xCF\x89");
  options.strip = false;
  EXPECT_EQ(clean("\t A ", options), " a ");
}

TEST(Clean, NoneLeavesBytesAlone) {
  CleanOptions options;
  options.unicode = CleanOptions::Unicode::none;
  options.strip = false;
  EXPECT_EQ(clean(" e\xCC\x81 ", options), " e\xCC\x81 ");
}

TEST(Clean, NfkcFoldsCompatibility) {
  CleanOptions options;
  options.unicode = CleanOptions::Unicode::nfkc;
  EXPECT_EQ(clean("\xEF\xBC\xA1\xEF\xAC\x81", options), "Afi");
}

TEST(Clean, KeepsNulAndHandlesLongExpansions) {
  EXPECT_EQ(clean(std::string_view("a\0e\xCC\x81", 5), {}), std::string("a\0\xC3\xA9", 4));
  CleanOptions options;
  options.unicode = CleanOptions::Unicode::nfkc;
  std::string text; // U+FDFA becomes 18 scalars
  for (int i = 0; i < 101; ++i) {
    text += "\xEF\xB7\xBA";
  }
  EXPECT_EQ(clean(text, options), reference(text, true));
}

/// The short cut for texts that are normalized already must never be taken wrongly.
TEST(Clean, EqualsUtf8procOnEveryScalarAloneAndAfterAnother) {
  CleanScratch scratch;
  std::mt19937 random(7);
  std::vector<char32_t> marks = {0x300, 0x301, 0x308, 0x323, 0x3099, 0x309A, 0x1161, 0x11A8, 0x11AF};
  for (const bool compat : {false, true}) {
    CleanOptions options;
    options.unicode = compat ? CleanOptions::Unicode::nfkc : CleanOptions::Unicode::nfc;
    options.strip = false;
    for (char32_t scalar = 1; scalar <= 0x10FFFF; ++scalar) {
      if ((scalar >= 0xD800 && scalar <= 0xDFFF) || (scalar > 0x30000 && scalar % 37 != 0)) {
        continue;
      }
      std::string text;
      appendUtf8(text, scalar);
      ASSERT_EQ(cleanText(text, options, scratch), reference(text, compat)) << static_cast<unsigned>(scalar);
      appendUtf8(text, scalar > 0x3000 ? 'z' : marks[random() % marks.size()]);
      ASSERT_EQ(cleanText(text, options, scratch), reference(text, compat)) << static_cast<unsigned>(scalar);
    }
  }
}

TEST(Clean, EqualsUtf8procOnRandomTexts) {
  CleanScratch scratch;
  std::mt19937 random(11);
  const std::vector<std::pair<char32_t, char32_t>> blocks = {{0x20, 0x7E},     {0xA0, 0x24F},    {0x300, 0x36F},
                                                             {0x3040, 0x30FF}, {0x1100, 0x11FF}, {0xAC00, 0xAD00},
                                                             {0x4E00, 0x4F00}, {0xFF00, 0xFFEF}, {0xF900, 0xFA00}};
  for (int trial = 0; trial < 3001; ++trial) {
    std::string text;
    for (std::size_t i = random() % 13; i > 0; --i) {
      const auto &[low, high] = blocks[random() % blocks.size()];
      appendUtf8(text, low + random() % (high - low + 1));
    }
    for (const bool compat : {false, true}) {
      CleanOptions options;
      options.unicode = compat ? CleanOptions::Unicode::nfkc : CleanOptions::Unicode::nfc;
      options.strip = false;
      ASSERT_EQ(cleanText(text, options, scratch), reference(text, compat));
    }
  }
}

} // namespace
} // namespace penstock
