#include "runtime/text/words.h"

#include "runtime/base/utf8.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <string>

namespace penstock {
namespace {

bool isDigit(char32_t c) {
  return c < 0x80 ? c >= '0' && c <= '9' : utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_ND;
}
bool isLetter(char32_t c) {
  if (c < 0x80) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  }
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}
/// Combining marks, and what joins or varies the sign before it.
bool isMark(char32_t c) {
  if (c < 0x300) {
    return false;
  }
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC || category == UTF8PROC_CATEGORY_ME || c == 0x200C ||
         c == 0x200D;
}
/// Of scripts that put no space between words.
bool isAlone(char32_t c) {
  return (c >= 0x3040 && c <= 0x30FF && c != 0x30FB) || (c >= 0x31F0 && c <= 0x31FF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF) || c == 0x3005 || c == 0x3007;
}
bool isApostrophe(char32_t c) { return c == '\'' || c == 0x2019; }
bool isHyphen(char32_t c) { return c == '-' || c == 0x2010 || c == 0x2011; }
/// Stands apart from the words around it, wherever it is; others than these do by what is around them.
bool isApart(char32_t c) {
  if (c < 0x80) {
    return c != 0 && std::string_view("\"(),;:!?[]{}<>`|").find(static_cast<char>(c)) != std::string_view::npos;
  }
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
  case UTF8PROC_CATEGORY_PS:
  case UTF8PROC_CATEGORY_PE:
  case UTF8PROC_CATEGORY_PI:
    return true;
  case UTF8PROC_CATEGORY_PF:
    return c != 0x2019;
  case UTF8PROC_CATEGORY_PD:
    return !isHyphen(c);
  case UTF8PROC_CATEGORY_PO: // but for a dot within words of Catalan, signs of abbreviation in Hebrew, and those of a thousandth
    return c != 0xB7 && c != 0x5F3 && c != 0x5F4 && c != 0x2030 && c != 0x2031;
  default:
    return false;
  }
}

std::string lowerOf(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

template <std::size_t n> bool isOneOf(const std::array<std::string_view, n> &sorted, std::string_view text) {
  return std::binary_search(sorted.begin(), sorted.end(), text);
}

// Sorted, in lower case, without their last dot.
constexpr std::array<std::string_view, 61> abbreviations = {
    "adm",  "al",  "approx", "assn", "ave",  "blvd", "bros", "bzw",  "ca",   "capt", "cf",   "cmdr", "co",  "col",  "corp", "dept",
    "dr",   "est", "etc",    "fl",   "fr",   "ft",   "gen",  "gov",  "hon",  "hr",   "inc",  "jr",   "lt",  "ltd",  "maj",  "messrs",
    "mgr",  "mr",  "mrs",    "ms",   "msgr", "mt",   "mts",  "nr",   "ph.d", "pres", "prof", "rd",   "rep", "repr", "rev",  "sen",
    "sens", "sgt", "sr",     "st",   "ste",  "str",  "supt", "univ", "usw",  "v",    "vgl",  "viz",  "vs"};
/// Those that are words, too, where no number follows.
constexpr std::array<std::string_view, 24> beforeNumbers = {"apr", "art", "aug", "ch",  "dec", "feb",  "fig", "figs",
                                                            "jan", "jul", "jun", "mar", "no",  "nos",  "nov", "oct",
                                                            "op",  "p",   "pp",  "sec", "sep", "sept", "vol", "vols"};
/// At the end of a text a dot is that of the sentence as well; these keep it.
constexpr std::array<std::string_view, 9> atTheEnd = {"al", "bros", "co", "corp", "etc", "inc", "jr", "ltd", "sr"};
constexpr std::array<std::string_view, 7> clitics = {"d", "ll", "m", "re", "s", "t", "ve"};
constexpr std::size_t longestClitic = 2, longestAbbreviation = 24;
constexpr std::array<std::string_view, 22> faces = {"8)", ":'(", ":(", ":)", ":*", ":-(", ":-)", ":-/", ":-D", ":-P", ":/",
                                                    ":D", ":O",  ":P", ":]", ":|", ":p",  ";)",  ";-)", "<3",  "=(",  "=)"};

/// One run of signs without White_Space.
class Chunk {
public:
  /// `last`: of the text; `beforeNumber`: the next chunk begins with a digit.
  Chunk(std::string_view text, bool last, bool beforeNumber, std::vector<std::string_view> &words)
      : text(text), last(last), beforeNumber(beforeNumber), words(words) {}

  void split() {
    if (isOneOf(faces, text)) {
      words.push_back(text);
      return;
    }
    std::size_t begin = 0;
    while (begin < text.size() && opens(begin)) {
      begin = takeApart(begin);
    }
    if (begin == text.size()) {
      return;
    }
    if (const std::size_t end = addressEnd(begin); end > begin) {
      words.push_back(text.substr(begin, end - begin));
      for (std::size_t at = end; at < text.size();) {
        at = takeApart(at);
      }
      return;
    }
    std::size_t end = text.size();
    behind.clear();
    while (end > begin) {
      const std::size_t at = lastSign(begin, end);
      if (!closes(begin, at, end)) {
        break;
      }
      const std::size_t from = runBefore(begin, at);
      behind.push_back(text.substr(from, end - from));
      end = from;
    }
    inside(begin, end);
    words.insert(words.end(), behind.rbegin(), behind.rend());
  }

private:
  char32_t at(std::size_t place) const { return decodeUtf8(text, place).value; }
  /// Behind the sign at `place` and its marks.
  std::size_t behindSign(std::size_t place) const {
    nextScalar(text, place);
    for (std::size_t next = place; next < text.size(); place = next) {
      if (!isMark(nextScalar(text, next))) {
        break;
      }
    }
    return place;
  }
  /// Where the sign begins that ends at `end`, with its marks.
  std::size_t lastSign(std::size_t begin, std::size_t end) const {
    for (std::size_t place = end; place > begin;) {
      do {
        --place;
      } while (place > begin && continuesUtf8(text[place]));
      if (!isMark(at(place)) || place == begin) {
        return place;
      }
    }
    return begin;
  }

  /// Whether the sign at `place`, with which the rest begins, stands apart.
  bool opens(std::size_t place) const {
    const char32_t sign = at(place);
    const std::size_t next = behindSign(place);
    if (isApostrophe(sign)) { // '90s, 's and n't are words
      return next < text.size() && !isDigit(at(next)) && !isClitic(place);
    }
    if (isHyphen(sign)) {
      return next < text.size() && isHyphen(at(next));
    }
    if (sign == '#') { // a number; else a tag
      return next < text.size() && isDigit(at(next));
    }
    if (sign == '.' || sign == '*' || sign == '/') {
      return next == text.size() || !isDigit(at(next));
    }
    return isApart(sign);
  }

  /// Whether all that stands from the apostrophe at `place` on is 's, 'll and the like.
  bool isClitic(std::size_t place) const {
    const std::string_view rest = text.substr(behindSign(place));
    return rest.size() <= longestClitic && isOneOf(clitics, lowerOf(rest));
  }

  /// A run of the same sign is one word where people write such.
  static bool runs(char32_t sign) {
    return sign < 0x80 && std::string_view(".!?-*=_~'`").find(static_cast<char>(sign)) != std::string_view::npos;
  }
  std::size_t endOfRun(std::size_t place) const {
    const char32_t sign = at(place);
    std::size_t end = behindSign(place);
    while (runs(sign) && end < text.size() && at(end) == sign) {
      end = behindSign(end);
    }
    return end;
  }
  std::size_t takeApart(std::size_t place) {
    const std::size_t end = endOfRun(place);
    words.push_back(text.substr(place, end - place));
    return end;
  }
  /// Where the run of the sign at `place` begins.
  std::size_t runBefore(std::size_t begin, std::size_t place) const {
    while (runs(at(place)) && place > begin && text[place - 1] == text[place]) {
      --place;
    }
    return place;
  }

  /// Whether the sign at `place`, the last of [begin, end), stands apart.
  bool closes(std::size_t begin, std::size_t place, std::size_t end) const {
    const char32_t sign = at(place);
    if (place == begin) {
      return false;
    }
    if (isApostrophe(sign)) {
      return true;
    }
    if (sign == '.') {
      return text[place - 1] == '.' || !isAbbreviation(text.substr(begin, place - begin), end == text.size());
    }
    if (sign == '*' || sign == '/') {
      return true;
    }
    if (isHyphen(sign)) {
      return isHyphen(at(lastSign(begin, place)));
    }
    return isApart(sign);
  }

  /// `word` stood before a dot; `whole`: the dot is the chunk's last sign.
  bool isAbbreviation(std::string_view word, bool whole) const {
    if (word.size() > longestAbbreviation) {
      return false;
    }
    const std::string lower = lowerOf(word);
    const bool ends = last && whole;
    if (lower.size() == 1 && lower[0] >= 'a' && lower[0] <= 'z') {
      return !ends || beforeNumber;
    }
    // U.S, e.g: a letter between dots.
    bool letters = lower.size() > 2 && lower.size() % 2 == 1;
    for (std::size_t i = 0; i < lower.size() && letters; ++i) {
      letters = i % 2 == 1 ? lower[i] == '.' : lower[i] >= 'a' && lower[i] <= 'z';
    }
    if (letters) {
      return true;
    }
    if (isOneOf(beforeNumbers, lower)) {
      return beforeNumber;
    }
    return isOneOf(abbreviations, lower) && (!ends || isOneOf(atTheEnd, lower));
  }

  /// Where an address that begins at `begin` ends; `begin` where none does.
  std::size_t addressEnd(std::size_t begin) const {
    const std::string_view rest = text.substr(begin);
    const std::size_t scheme = rest.find("://"), mail = rest.find('@'), slash = rest.find('/');
    const bool url = (scheme != std::string_view::npos && scheme > 1) || lowerOf(rest.substr(0, 4)) == "www.";
    const bool isMail = mail != std::string_view::npos && mail > 0 && rest.find('.', mail) < rest.size() - 1;
    const std::size_t dot = rest.substr(0, slash).rfind('.');
    const bool place = slash != std::string_view::npos && dot != std::string_view::npos && dot > 0 && slash > dot + 2 &&
                       std::all_of(rest.begin() + static_cast<std::ptrdiff_t>(dot) + 1, rest.begin() + static_cast<std::ptrdiff_t>(slash),
                                   [](char c) { return isLetter(static_cast<unsigned char>(c)); });
    if (!url && !isMail && !place) {
      return begin;
    }
    const auto opened = std::count(rest.begin(), rest.end(), '(');
    auto closed = std::count(rest.begin(), rest.end(), ')');
    std::size_t end = text.size();
    while (end > begin) {
      const std::size_t sign = lastSign(begin, end);
      const char32_t c = at(sign);
      if ((c == ')' && closed <= opened) || (c != '.' && !isApostrophe(c) && !isApart(c))) {
        break;
      }
      closed -= c == ')' ? 1 : 0;
      end = sign;
    }
    return end;
  }

  /// Whether digits stand on both sides of the sign in [place, next).
  bool betweenDigits(std::size_t begin, std::size_t place, std::size_t next, std::size_t end) const {
    return place > begin && next < end && isDigit(at(lastSign(begin, place))) && isDigit(at(next));
  }

  void inside(std::size_t begin, std::size_t end) {
    std::size_t word = begin; // where the word begins that is read
    const auto cut = [&](std::size_t until) {
      if (until > word) {
        withoutClitics(word, until);
      }
      word = until;
    };
    for (std::size_t place = begin; place < end;) {
      const char32_t sign = at(place);
      std::size_t next = std::min(behindSign(place), end);
      bool apart = false;
      if (sign < 0x80 && (isLetter(sign) || isDigit(sign))) {
        place = next;
        continue;
      }
      if (sign == ',' || sign == ':' || sign == '/' || sign == 0x2013) {
        apart = !betweenDigits(begin, place, next, end);
      } else if (sign == '.' || isHyphen(sign)) {
        const std::size_t run = std::min(endOfRun(place), end);
        apart = run > next && place > begin;
        next = apart ? run : next;
      } else {
        apart = isAlone(sign) || isApart(sign);
      }
      if (apart) {
        cut(place);
        next = isAlone(sign) ? next : std::min(std::max(next, endOfRun(place)), end);
        words.push_back(text.substr(place, next - place));
        word = next;
      }
      place = next;
    }
    cut(end);
  }

  /// `Ann's` is `Ann` and `'s`, `don't` is `do` and `n't`.
  void withoutClitics(std::size_t begin, std::size_t end) {
    const std::string_view word = text.substr(begin, end - begin);
    std::size_t mark = word.rfind('\'');
    std::size_t width = 1;
    if (const std::size_t curly = word.rfind("\u2019"); mark == std::string_view::npos && curly != std::string_view::npos) {
      mark = curly;
      width = std::string_view("\u2019").size();
    }
    if (mark != std::string_view::npos && mark > 0) {
      const std::string tail = lowerOf(word.substr(mark + width).substr(0, longestClitic + 1));
      const bool negates = tail == "t" && mark > 1 && (word[mark - 1] == 'n' || word[mark - 1] == 'N');
      const std::size_t from = negates ? mark - 1 : mark;
      if ((negates || (tail != "t" && isOneOf(clitics, tail))) && from > 0) {
        words.push_back(word.substr(0, from));
        words.push_back(word.substr(from));
        return;
      }
    }
    words.push_back(word);
  }

  const std::string_view text;
  const bool last, beforeNumber;
  std::vector<std::string_view> &words;
  std::vector<std::string_view> behind; // what was cut off the end, last first
};

/// Where the next chunk at or behind `at` begins.
std::size_t chunkAt(std::string_view text, std::size_t at) {
  for (std::size_t next = at; next < text.size(); at = next) {
    if (!isWhiteSpace(nextScalar(text, next))) {
      return at;
    }
  }
  return text.size();
}

} // namespace

void splitWords(std::string_view text, std::vector<std::string_view> &words) {
  for (std::size_t begin = chunkAt(text, 0); begin < text.size();) {
    std::size_t end = begin;
    for (std::size_t next = begin; next < text.size(); end = next) {
      if (isWhiteSpace(nextScalar(text, next))) {
        break;
      }
    }
    const std::size_t following = chunkAt(text, end);
    const bool last = following == text.size();
    Chunk(text.substr(begin, end - begin), last, !last && isDigit(decodeUtf8(text, following).value), words).split();
    begin = following;
  }
}

} // namespace penstock
