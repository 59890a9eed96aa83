// The JSON of structs that list their fields (fields.h).
#pragma once

#include "runtime/base/fields.h"
#include "runtime/base/status.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

namespace penstock {

using FieldJson = nlohmann::ordered_json;

/// The names of an enumeration's members in their order, as JSON and the language write them: `wordsOf(E)` beside the enumeration.
template <typename E>
concept Worded = std::is_enum_v<E> && requires(E e) { wordsOf(e); };

template <typename T> struct IsOptional : std::false_type {};
template <typename T> struct IsOptional<std::optional<T>> : std::true_type {};

template <typename T> struct IsVector : std::false_type {};
template <typename T> struct IsVector<std::vector<T>> : std::true_type {};

/// Whether a member is at its default. A list of structs is so where it is empty.
template <typename T> bool isSame(const T &value, const T &standard) {
  if constexpr (std::is_same_v<T, double>) {
    return value == standard || (std::isnan(value) && std::isnan(standard));
  } else if constexpr (IsVector<T>::value && Described<typename PartOf<T>::type>) {
    return value.empty() && standard.empty();
  } else {
    return value == standard;
  }
}

inline std::string textOf(const FieldJson &json) { return json.dump(-1, ' ', false, FieldJson::error_handler_t::replace); }

inline void writeText(std::string &text, std::string_view value) {
  const auto plain = [](char c) { return c >= ' ' && c < 0x7f && c != '"' && c != '\\'; };
  if (std::all_of(value.begin(), value.end(), plain)) {
    text.append(1, '"').append(value).append(1, '"');
  } else {
    text += textOf(FieldJson(std::string(value)));
  }
}

template <Described S> void writeJson(std::string &text, const S &object, Roles roles, bool defaults);

/// Appends the members with one of `roles`; without `defaults` only those that are not at their default. A list keeps its length where
/// its structs have such members at all. A number that is not known is none of JSON's.
template <typename T> void writeJson(std::string &text, const T &value, Roles roles, bool defaults) {
  if constexpr (Worded<T>) {
    writeText(text, wordsOf(value)[static_cast<std::size_t>(value)]);
  } else if constexpr (IsOptional<T>::value) {
    if (value) {
      writeJson(text, *value, roles, defaults);
    } else {
      text += "null";
    }
  } else if constexpr (std::is_same_v<T, NamedValues>) {
    text += '{';
    for (const auto &[name, one] : value) {
      text += text.back() == '{' ? "" : ",";
      writeText(text, name);
      text += ':';
      std::visit([&](const auto &held) { writeJson(text, held, roles, defaults); }, one);
    }
    text += '}';
  } else if constexpr (std::is_same_v<T, std::string>) {
    writeText(text, value);
  } else if constexpr (IsVector<T>::value) {
    text += '[';
    for (std::size_t i = 0; i < value.size(); ++i) {
      text += i == 0 ? "" : ",";
      writeJson(text, static_cast<const typename T::value_type &>(value[i]), roles, defaults);
    }
    text += ']';
  } else {
    text += textOf(FieldJson(value)); // of NaN null
  }
}

template <Described S> void writeJson(std::string &text, const S &object, Roles roles, bool defaults) {
  static const S standard;
  text += '{';
  eachField<S>([&]<typename B, typename T>(const Field<B, T> &one) {
    using Part = typename PartOf<T>::type;
    bool wanted = true;
    if constexpr (Described<Part>) {
      wanted = hasRole<Part>(roles);
    } else {
      wanted = roles.has(one.role);
    }
    if constexpr (!Described<T>) {
      wanted = wanted && (defaults || !isSame(object.*one.member, standard.*one.member));
    }
    if (!wanted) {
      return;
    }
    const std::size_t before = text.size();
    text += text.back() == '{' ? "\"" : ",\"";
    text.append(one.name).append("\":");
    writeJson(text, object.*one.member, roles, defaults);
    if (Described<T> && !defaults && text.ends_with("{}")) {
      text.resize(before);
    }
  });
  text += '}';
}

/// The JSON of a value.
template <typename T> std::string jsonTextOf(const T &value, Roles roles = anyRole, bool defaults = true) {
  std::string text;
  writeJson(text, value, roles, defaults);
  return text;
}

/// The same as a tree.
template <typename T> FieldJson jsonOf(const T &value, Roles roles = anyRole, bool defaults = true) {
  return FieldJson::parse(jsonTextOf(value, roles, defaults));
}

/// Where a text is not that of a value: "train.batch".
struct WrongMember {
  std::string path;
};

/// A member on the way from the root, or an item of a list. Its path is put together where somebody asks.
struct JsonPlace {
  const JsonPlace *above = nullptr;
  const char *name = ""; // of a member
  std::ptrdiff_t item = -1;

  std::string path() const {
    const std::string before = above == nullptr ? "" : above->path();
    return item >= 0 ? before + "[" + std::to_string(item) + "]" : before + (before.empty() ? "" : ".") + name;
  }
  [[noreturn, gnu::noinline]] void refuse() const { throw WrongMember{path()}; }
};

// What reading has in common for all structs is compiled once: it is in every artifact.

[[gnu::noinline]] inline const FieldJson::object_t &membersOf(const FieldJson &json, const JsonPlace &place) {
  const auto *const members = json.get_ptr<const FieldJson::object_t *>();
  return members != nullptr ? *members : (place.refuse(), *members);
}

[[gnu::noinline]] inline const FieldJson::array_t &itemsOf(const FieldJson &json, const JsonPlace &place) {
  const auto *const items = json.get_ptr<const FieldJson::array_t *>();
  return items != nullptr ? *items : (place.refuse(), *items);
}

[[gnu::noinline]] inline const FieldJson *memberOf(const FieldJson::object_t &members, std::string_view name) {
  const auto found = std::find_if(members.begin(), members.end(), [&](const auto &one) { return one.first == name; });
  return found == members.end() ? nullptr : &found->second;
}

/// Refuses the first member that has none of the names.
[[gnu::noinline]] inline void refuseOthers(const FieldJson::object_t &members, std::span<const char *const> names, const JsonPlace &place) {
  for (const auto &[name, value] : members) {
    if (std::find(names.begin(), names.end(), std::string_view(name)) == names.end()) {
      JsonPlace{&place, name.c_str()}.refuse();
    }
  }
}

/// A truth value, number or text.
template <typename T> [[gnu::noinline]] void readPlain(const FieldJson &json, T &value, const JsonPlace &place) {
  bool fits = false;
  if constexpr (std::is_same_v<T, bool>) {
    fits = json.is_boolean();
  } else if constexpr (std::is_same_v<T, double>) {
    fits = json.is_number();
    if (json.is_null()) {
      value = std::numeric_limits<double>::quiet_NaN();
      return;
    }
  } else if constexpr (std::is_integral_v<T>) {
    fits = json.is_number_integer() &&
           (json.is_number_unsigned() ? std::in_range<T>(json.get<std::uint64_t>()) : std::in_range<T>(json.get<std::int64_t>()));
  } else {
    static_assert(std::is_same_v<T, std::string>);
    fits = json.is_string();
  }
  if (!fits) {
    place.refuse();
  }
  json.get_to(value);
}

template <typename T> void readField(const FieldJson &json, T &value, const JsonPlace &place) {
  if constexpr (Described<T>) {
    const FieldJson::object_t &members = membersOf(json, place);
    std::size_t known = 0;
    eachField<T>([&]<typename B, typename M>(const Field<B, M> &one) {
      if (const FieldJson *const found = memberOf(members, one.name)) {
        ++known;
        readField(*found, value.*one.member, JsonPlace{&place, one.name});
      }
    });
    if (known < members.size()) {
      static constexpr auto names = std::apply([](const auto &...one) { return std::array{one.name...}; }, T::fields());
      refuseOthers(members, names, place);
    }
  } else if constexpr (Worded<T>) {
    std::string word;
    readPlain(json, word, place);
    const auto &words = wordsOf(value);
    const auto found = std::find(std::begin(words), std::end(words), std::string_view(word));
    if (found == std::end(words)) {
      place.refuse();
    }
    value = static_cast<T>(found - std::begin(words));
  } else if constexpr (IsOptional<T>::value) {
    value.reset();
    if (!json.is_null()) {
      readField(json, value.emplace(), place);
    }
  } else if constexpr (std::is_same_v<T, NamedValues>) {
    value.clear();
    for (const auto &[name, one] : membersOf(json, place)) {
      readField(one, value[name], JsonPlace{&place, name.c_str()});
    }
  } else if constexpr (std::is_same_v<T, NamedValue>) {
    if (json.is_array()) {
      const bool whole = !json.empty() && json[0].is_number_integer(), number = !json.empty() && (json[0].is_number() || json[0].is_null());
      value = whole ? NamedValue(std::vector<std::int64_t>()) : number ? NamedValue(std::vector<double>()) : std::vector<std::string>();
    } else {
      value = json.is_boolean()          ? NamedValue(false)
              : json.is_number_integer() ? NamedValue(std::int64_t{0})
              : json.is_string()         ? NamedValue(std::string())
                                         : NamedValue(0.0);
    }
    std::visit([&](auto &held) { readField(json, held, place); }, value);
  } else if constexpr (IsVector<T>::value) {
    value.clear();
    for (const FieldJson &one : itemsOf(json, place)) {
      value.emplace_back();
      readField(one, value.back(), JsonPlace{&place, "", static_cast<std::ptrdiff_t>(value.size()) - 1});
    }
  } else {
    readPlain(json, value, place);
  }
}

/// Reads the members of a JSON object: one that is absent is at its default, one that is not known or of another type is an error
/// (environment), which names it and calls the whole `what`.
template <Described S> Result<S> readJson(const FieldJson &json, const std::string &what) {
  S value;
  try {
    readField(json, value, JsonPlace());
  } catch (const WrongMember &wrong) {
    return environmentError(what + (wrong.path.empty() ? " is no JSON object" : " holds what it should not at `" + wrong.path + "`"));
  }
  return value;
}

} // namespace penstock
