// A byte-level vocabulary of 256 bytes, a few special tokens and a few merges.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace penstock {

struct SmallByteLevel {
  nlohmann::json vocabulary = nlohmann::json::object();
  nlohmann::json mergeList = {"b c", "a b", "ab ab", "\u0120 ab", "a a"};
  std::string merges = "#version: 0.2\n";

  SmallByteLevel() {
    unsigned hidden = 0;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const bool visible = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      const unsigned c = visible ? byte : 0x100 + hidden++;
      std::string text(1, static_cast<char>(c));
      if (c >= 0x80) {
        text = {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
      }
      vocabulary[text] = byte;
    }
    int id = 256;
    for (const char *token : {"<s>", "</s>", "<unk>", "bc", "ab", "abab", "\u0120ab", "aa"}) {
      vocabulary[token] = id++;
    }
    for (const auto &merge : mergeList) {
      merges += merge.get<std::string>() + "\n";
    }
  }
};

} // namespace penstock
