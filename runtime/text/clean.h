// The step `clean` of the record program.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// Applied in this order: Unicode normalization (UAX #15, by utf8proc), lower case (the simple
/// mapping of UnicodeData.txt, one scalar to one), collapse (every run of White_Space becomes one
/// U+0020), strip (White_Space at both ends goes).
struct CleanOptions {
  enum class Unicode { none, nfc, nfkc };
  Unicode unicode = Unicode::nfc;
  bool lowercase = false;
  bool strip = true;
  bool collapse = false;
};

/// Memory that one thread keeps between calls.
struct CleanScratch {
  std::string first, second;
  std::vector<int> scalars;
};

/// Cleans well-formed UTF-8. What comes back views `text` or the scratch, until the next call. NUL
/// bytes are ordinary. Never fails: where utf8proc refuses, the text stays as it was.
std::string_view cleanText(std::string_view text, const CleanOptions &options, CleanScratch &scratch);

/// The case folding of Unicode (CaseFolding.txt, C and F). As cleanText.
std::string_view foldCase(std::string_view text, CleanScratch &scratch);

} // namespace penstock
