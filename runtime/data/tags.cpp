#include "runtime/data/tags.h"

namespace penstock {

namespace {

struct Tag {
  char prefix = 'O';
  std::string_view type;
};

bool readTag(TagScheme scheme, std::string_view text, Tag &tag) {
  tag = {};
  if (text == "O") {
    return true;
  }
  const std::string_view prefixes = scheme == TagScheme::iobes ? "BIES" : "BI";
  if (text.size() < 3 || text[1] != '-' || prefixes.find(text[0]) == std::string_view::npos) {
    return false;
  }
  tag = {text[0], text.substr(2)};
  return true;
}

bool opens(const Tag &tag) { return tag.prefix == 'B' || tag.prefix == 'I'; }

/// Whether `now` may stand behind `before`, O standing for what is before the first and behind the
/// last word.
bool follows(TagScheme scheme, const Tag &before, const Tag &now) {
  const bool same = before.prefix != 'O' && now.prefix != 'O' && before.type == now.type;
  switch (scheme) {
  case TagScheme::none:
    return true;
  case TagScheme::iob1:
    return now.prefix != 'B' || same;
  case TagScheme::iob2:
    return now.prefix != 'I' || same;
  case TagScheme::iobes:
    if (opens(before)) {
      return same && (now.prefix == 'I' || now.prefix == 'E');
    }
    return now.prefix != 'I' && now.prefix != 'E';
  }
  return true;
}

} // namespace

std::vector<std::string> toIob2(TagScheme scheme, const std::vector<std::string_view> &tags, std::vector<TagProblem> &problems) {
  std::vector<std::string> made;
  made.reserve(tags.size());
  if (scheme == TagScheme::none) {
    made.assign(tags.begin(), tags.end());
    return made;
  }
  Tag before;
  std::string_view beforeText;
  for (std::size_t i = 0; i <= tags.size(); ++i) {
    Tag now;
    const std::string_view text = i < tags.size() ? tags[i] : std::string_view();
    if (i < tags.size() && !readTag(scheme, text, now)) {
      problems.push_back({i, true, std::string(text), std::string(beforeText)});
    } else if (!follows(scheme, before, now)) {
      problems.push_back({i, false, std::string(text), std::string(beforeText)});
    }
    if (i == tags.size()) {
      break;
    }
    const bool begins = now.prefix == 'B' || now.prefix == 'S' || before.prefix == 'O' || before.prefix == 'E' || before.prefix == 'S' ||
                        before.type != now.type;
    made.push_back(now.prefix == 'O' ? "O" : (begins ? "B-" : "I-") + std::string(now.type));
    before = now;
    beforeText = text;
  }
  return made;
}

} // namespace penstock
