// Texts on which tokenizers go wrong; see conformance.h.
#pragma once

#include <random>
#include <string>
#include <vector>

namespace penstock::conformance::detail {

inline void appendUtf8(std::string &text, char32_t c) {
  if (c < 0x80) {
    text += static_cast<char>(c);
    return;
  }
  const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  const int first[] = {0, 0xC0, 0xE0, 0xF0};
  text += static_cast<char>(first[more] | static_cast<int>(c >> (6 * more)));
  for (int k = more - 1; k >= 0; --k) {
    text += static_cast<char>(0x80 | (c >> (6 * k) & 63));
  }
}

/// Hard texts: empty, blank, control, combining, every plane, long words, mixtures.
inline std::vector<std::string> hardTexts() {
  std::vector<std::string> texts = {"",
                                    " ",
                                    "\n",
                                    "a",
                                    "plain words, and a second sentence.",
                                    std::string("\0", 1),
                                    "\t\r\n\x0b\x0c\x1c\x7f",
                                    "\u00e9\u0301\u0345\u0323x",
                                    "\u0301",
                                    "\u200d\ufeff\u00ad",
                                    "\u4e2d\u6587\u3002\u3042\uac00\U0001f468\u200d\U0001f469",
                                    "[CLS] ##ing <unk> [UNK]",
                                    std::string(100003, 'a'),
                                    std::string(70001, ' ') + "end",
                                    "\u0130\u1e9e\ufb01\u2126\u212a"};
  std::mt19937 random(11);
  for (int i = 0; i < 97; ++i) {
    std::string text;
    for (int k = static_cast<int>(random() % 61); k > 0; --k) {
      char32_t c = random() % 3 == 0 ? random() % 0x110000 : random() % 2 == 0 ? random() % 0x3100 : random() % 0x80;
      if (c >= 0xD800 && c <= 0xDFFF) {
        c = ' ';
      }
      appendUtf8(text, c);
    }
    texts.push_back(text);
  }
  return texts;
}

} // namespace penstock::conformance::detail
