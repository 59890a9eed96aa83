// Tags of the words of a record: schemes, and the one that everything behind the file uses.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// iob1: B- only where two chunks of one type touch. iob2: every chunk begins with B-. iobes: E- ends
/// a chunk, S- is one of one word. none: labels without chunks.
enum class TagScheme { none, iob1, iob2, iobes };
std::optional<TagScheme> tagScheme(std::string_view name);

struct TagProblem {
  std::size_t word = 0;
  bool malformed = false;  // no tag of the scheme; else a tag that cannot follow the one before it
  std::string tag, before; // before: "" at the beginning (and behind the end: `word` is the number of words)
};

/// The tags in IOB2; as they are for `none`. Chunks are those that conlleval reads: a tag that cannot
/// follow the one before it begins a chunk or goes on with it, as its type says, and is a problem. A
/// malformed tag becomes O.
std::vector<std::string> toIob2(TagScheme scheme, const std::vector<std::string_view> &tags, std::vector<TagProblem> &problems);

} // namespace penstock
