// Words of running text, as corpora of tagged words have them.
#pragma once

#include <string_view>
#include <vector>

namespace penstock {

/// Appends the words of well-formed UTF-8 in their order, each a view into `text`: what stands between White_Space, with punctuation set
/// apart, after the Penn Treebank and CoNLL. `Paris,` is two words, `(Munich)` three, `Ann's` two, `don't` is `do` and `n't`; numbers
/// (`3.5`, `1,000`, `10:30`, `$5`, `60%`), abbreviations (`U.S.`, `Dr.`), words with hyphens, addresses, `#tags` and `@names` are one.
/// Signs of Chinese and Japanese are a word each. A combining mark belongs to what it stands on. Never fails; takes time in proportion to
/// the text.
void splitWords(std::string_view text, std::vector<std::string_view> &words);

} // namespace penstock
