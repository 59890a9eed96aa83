// The JSON of structs that list their fields (fields.h).
#pragma once

#include "runtime/base/fields.h"
#include "runtime/base/status.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <limits>

namespace penstock {

using FieldJson = nlohmann::ordered_json;

/// The names of an enumeration's members in their order, as JSON and the language write them: `wordsOf(E)` beside the enumeration.
template <typename E>
concept Worded = std::is_enum_v<E> && requires(E e) { wordsOf(e); };

template <typename T> struct IsOptional : std::false_type {};
template <typename T> struct IsOptional<std::optional<T>> : std::true_type {};

template <typename T> struct IsVector : std::false_type {};
template <typename T> struct IsVector<std::vector<T>> : std::true_type {};

/// A number that is not known is none of JSON's.
inline FieldJson numberJson(double value) { return std::isnan(value) ? FieldJson() : FieldJson(value); }

template <Described S> FieldJson jsonOf(const S &object, Roles roles = anyRole, bool defaults = true);

/// The members with one of `roles`; without `defaults` only those that are not at their default. A list keeps its length where its
/// structs have such members at all.
template <typename T> FieldJson jsonOf(const T &value, Roles roles, bool defaults) {
  if constexpr (Worded<T>) {
    return wordsOf(value)[static_cast<std::size_t>(value)];
  } else if constexpr (IsOptional<T>::value) {
    return value ? jsonOf(*value, roles, defaults) : FieldJson();
  } else if constexpr (std::is_same_v<T, NamedValues>) {
    FieldJson json = FieldJson::object();
    for (const auto &[name, one] : value) {
      json[name] = std::visit([&](const auto &held) { return jsonOf(held, roles, defaults); }, one);
    }
    return json;
  } else if constexpr (std::is_same_v<T, double>) {
    return numberJson(value);
  } else if constexpr (IsVector<T>::value) {
    FieldJson json = FieldJson::array();
    for (const auto &one : value) {
      json.push_back(jsonOf(one, roles, defaults));
    }
    return json;
  } else {
    return FieldJson(value);
  }
}

template <Described S> FieldJson jsonOf(const S &object, Roles roles, bool defaults) {
  FieldJson json = FieldJson::object();
  static const S standard;
  eachField<S>([&]<typename B, typename T>(const Field<B, T> &one) {
    using Part = typename PartOf<T>::type;
    bool wanted = true;
    if constexpr (Described<Part>) {
      wanted = hasRole<Part>(roles);
    } else {
      wanted = roles.has(one.role);
    }
    if (!wanted) {
      return;
    }
    FieldJson value = jsonOf(object.*one.member, roles, defaults);
    if (defaults || value != (Described<T> ? FieldJson::object() : jsonOf(standard.*one.member, roles, defaults))) {
      json[one.name] = std::move(value);
    }
  });
  return json;
}

/// Where a text is not that of a value: "train.batch".
struct WrongMember {
  std::string path;
};

template <typename T> void readField(const FieldJson &json, T &value, const std::string &path) {
  if constexpr (Described<T>) {
    if (!json.is_object()) {
      throw WrongMember{path};
    }
    std::size_t known = 0;
    eachField<T>([&]<typename B, typename M>(const Field<B, M> &one) {
      if (const auto found = json.find(one.name); found != json.end()) {
        ++known;
        readField(*found, value.*one.member, path.empty() ? one.name : path + "." + one.name);
      }
    });
    for (auto one = json.begin(); known < json.size() && one != json.end(); ++one) {
      bool listed = false;
      eachField<T>([&](const auto &other) { listed = listed || one.key() == other.name; });
      if (!listed) {
        throw WrongMember{path.empty() ? one.key() : path + "." + one.key()};
      }
    }
  } else if constexpr (Worded<T>) {
    const auto &words = wordsOf(value);
    for (std::size_t i = 0; i < std::size(words); ++i) {
      if (json.is_string() && json.get_ref<const std::string &>() == words[i]) {
        value = static_cast<T>(i);
        return;
      }
    }
    throw WrongMember{path};
  } else if constexpr (IsOptional<T>::value) {
    value.reset();
    if (!json.is_null()) {
      readField(json, value.emplace(), path);
    }
  } else if constexpr (std::is_same_v<T, NamedValues>) {
    if (!json.is_object()) {
      throw WrongMember{path};
    }
    value.clear();
    for (const auto &[name, one] : json.items()) {
      readField(one, value[name], path + "." + name);
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
    std::visit([&](auto &held) { readField(json, held, path); }, value);
  } else if constexpr (IsVector<T>::value) {
    if (!json.is_array()) {
      throw WrongMember{path};
    }
    value.clear();
    for (const FieldJson &one : json) {
      readField(one, value.emplace_back(), path + "[" + std::to_string(value.size() - 1) + "]");
    }
  } else {
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
      throw WrongMember{path};
    }
    json.get_to(value);
  }
}

/// Reads the members of a JSON object: one that is absent is at its default, one that is not known or of another type is an error
/// (environment), which names it and calls the whole `what`.
template <Described S> Result<S> readJson(const FieldJson &json, const std::string &what) {
  S value;
  try {
    readField(json, value, "");
  } catch (const WrongMember &wrong) {
    return environmentError(what + (wrong.path.empty() ? " is no JSON object" : " holds what it should not at `" + wrong.path + "`"));
  }
  return value;
}

inline std::string textOf(const FieldJson &json) { return json.dump(-1, ' ', false, FieldJson::error_handler_t::replace); }

} // namespace penstock
