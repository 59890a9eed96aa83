// Tags of the words of a record: schemes, and the one that everything behind the file uses.
#pragma once

#include "runtime/base/pipeline_value.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

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
