#include "runtime/exec/run_places.h"

#include "runtime/base/splits.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace penstock {
namespace {

constexpr std::string_view mark = "${RUN^"; // before the number of folders up
constexpr std::string_view markItself = "${RUN^}";

bool mayStandBefore(char c) { return c <= ' ' || std::string_view("\"'`=([{<,;:|>").find(c) != std::string_view::npos; }
bool isOfName(char c) { return c > ' ' && std::string_view("\"'`=()[]{}<>,;:|/\\").find(c) == std::string_view::npos; }

/// The end of the name that begins at `at`.
std::size_t endOfName(std::string_view text, std::size_t at) {
  while (at < text.size() && isOfName(text[at])) {
    ++at;
  }
  return at;
}

} // namespace

RunPlaces::RunPlaces(const std::string &given) {
  std::error_code error;
  std::filesystem::path path = std::filesystem::absolute(given, error);
  if (const std::filesystem::path real = std::filesystem::weakly_canonical(path, error); !error) {
    path = real;
  }
  folder = path.lexically_normal().string();
  while (folder.ends_with('/')) {
    folder.pop_back();
  }
  depth = static_cast<int>(std::count(folder.begin(), folder.end(), '/'));
}

std::string RunPlaces::kept(std::string_view text) const {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at).starts_with(mark)) {
      out += markItself;
      at += mark.size();
      continue;
    }
    const std::size_t first = endOfName(text, at + 1);
    const bool begins = text[at] == '/' && (at == 0 || mayStandBefore(text[at - 1])) && first > at + 1;
    // How much of the run's own path it shares: whole names.
    std::size_t shared = 0;
    int names = 0;
    while (begins && shared < folder.size()) {
      const std::size_t end = std::min(folder.find('/', shared + 1), folder.size());
      const std::string_view upTo = text.substr(at, end);
      if (upTo != std::string_view(folder).substr(0, end) || (at + end < text.size() && isOfName(text[at + end]))) {
        break;
      }
      shared = end;
      ++names;
    }
    std::error_code error;
    if (!begins || (names == 0 && !std::filesystem::is_directory(std::string(text.substr(at, first - at)), error))) {
      out += text[at++];
      continue;
    }
    at += shared;
    const bool goesOn = at + 1 < text.size() && text[at] == '/' && isOfName(text[at + 1]);
    out += std::string(mark) + std::to_string(depth - names) + (goesOn ? "/}" : "}");
    at += goesOn ? 1 : 0;
  }
  return out;
}

std::string RunPlaces::read(std::string_view kept) const {
  std::string out;
  for (std::size_t at = 0; at < kept.size();) {
    const std::size_t found = std::min(kept.find(mark, at), kept.size());
    out += kept.substr(at, found - at);
    at = found;
    if (found == kept.size()) {
      break;
    }
    int up = -1;
    const char *begin = kept.data() + found + mark.size(), *end = kept.data() + kept.size();
    const char *behind = std::from_chars(begin, end, up).ptr;
    const std::string_view rest(behind, static_cast<std::size_t>(end - behind));
    const bool goesOn = rest.starts_with("/}");
    if (up < 0 || (!goesOn && !rest.starts_with("}"))) {
      out += mark; // itself, or nothing that `kept` wrote
      at += kept.substr(found).starts_with(markItself) ? markItself.size() : mark.size();
      continue;
    }
    std::string_view above = folder;
    for (; up > 0 && !above.empty(); --up) {
      above = above.substr(0, above.rfind('/'));
    }
    out += above;
    out += goesOn || above.empty() ? "/" : "";
    at = static_cast<std::size_t>(behind - kept.data()) + (goesOn ? 2 : 1);
  }
  return out;
}

std::string RunPlaces::gathered(std::string_view kept, const std::string &root) const {
  const bool alone =
      kept.starts_with(mark) && kept.find(mark, mark.size()) == std::string_view::npos && kept.find('\n') == std::string_view::npos;
  // Names have blanks, too, where it is clear where they end.
  const auto endOf = [&](std::size_t place) {
    if (alone) {
      return kept.size();
    }
    if (place > 0 && std::string_view("\"'`").find(kept[place - 1]) != std::string_view::npos) {
      return std::min(kept.find_first_of(std::string{kept[place - 1], '\n'}, place), kept.size());
    }
    std::size_t end = place + mark.size();
    while (end < kept.size() && (isOfName(kept[end]) || std::string_view("/{}").find(kept[end]) != std::string_view::npos)) {
      ++end;
    }
    return end;
  };
  std::string out;
  for (std::size_t at = 0; at < kept.size();) {
    const std::size_t found = std::min(kept.find(mark, at), kept.size());
    out += kept.substr(at, found - at);
    if (found == kept.size()) {
      break;
    }
    if (kept.substr(found).starts_with(markItself)) {
      out += markItself;
      at = found + markItself.size();
      continue;
    }
    at = endOf(found);
    std::string place = read(kept.substr(found, at - found));
    while (place.ends_with('/')) {
      place.pop_back();
    }
    const auto isBelow = [&](const std::string &upper) { return !upper.empty() && upper != "/" && place.starts_with(upper + "/"); };
    const bool above = place == root || root.starts_with(place + "/");
    out += this->kept(isBelow(folder) ? place
                                      : folder + (isBelow(root) ? place.substr(root.size())
                                                  : above       ? ""
                                                                : "/" + withoutName(place, "elsewhere")));
  }
  return out;
}

namespace {

template <typename Change> void changeTexts(nlohmann::ordered_json &value, const Change &change) {
  if (value.is_string()) {
    value = change(value.get_ref<const std::string &>());
  }
  for (auto one = value.begin(); value.is_structured() && one != value.end(); ++one) {
    changeTexts(*one, change);
  }
}

} // namespace

void RunPlaces::keep(nlohmann::ordered_json &value) const {
  changeTexts(value, [this](const std::string &text) { return kept(text); });
}

void RunPlaces::restore(nlohmann::ordered_json &value) const {
  changeTexts(value, [this](const std::string &text) { return read(text); });
}

void RunPlaces::gather(nlohmann::ordered_json &value, const std::string &root) const {
  changeTexts(value, [&](const std::string &text) { return gathered(text, root); });
}

} // namespace penstock
