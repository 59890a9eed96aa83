// Words that people bring from other tools, and what the language says instead.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penstock::frontend {

/// What to write for a word that means nothing at a place ("train", "data", "evaluate", "call", "member"): what the word of another tool
/// is called here, or the nearest of `candidates`, which are what the place accepts. "" where nothing is known.
std::string hintForWord(std::string_view place, const std::string &word, const std::vector<std::string> &candidates);

} // namespace penstock::frontend
