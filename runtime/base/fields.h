// Structs that list their fields once (docs/design/pipeline_value.md): `static constexpr auto fields()` gives a tuple of Field. What is
// said of a field follows from its entry: its JSON (fields_json.h), what it decides, and the setting that gives it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace penstock {

/// Parameters of a call with their resolved values, by name.
using NamedValue =
    std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>, std::vector<std::string>>;
using NamedValues = std::map<std::string, NamedValue>;

/// What a field decides. `ofItsFields`: it is a struct, or a list of structs, whose own fields say.
enum class Role : unsigned {
  ofItsFields = 0,
  code = 1,        // is compiled in
  weights = 2,     // what training computes
  measurement = 4, // which records are read, and how answers are judged
  place = 8        // where and how fast it is computed, and where it was written
};

/// A set of roles.
class Roles {
public:
  constexpr Roles(Role one) : bits(static_cast<unsigned>(one)) {}
  constexpr bool has(Role one) const { return (bits & static_cast<unsigned>(one)) != 0; }
  friend constexpr Roles operator|(Roles a, Roles b) { return Roles(a.bits | b.bits); }

private:
  explicit constexpr Roles(unsigned bits) : bits(bits) {}
  unsigned bits;
};
constexpr Roles operator|(Role a, Role b) { return Roles(a) | Roles(b); }
inline constexpr Roles anyRole = Role::code | Role::weights | Role::measurement | Role::place;

/// The table of pipeline_value.md.
inline constexpr Roles keysPrograms = Role::code;
inline constexpr Roles fixedInAFinishedRun = Role::code | Role::weights;
inline constexpr Roles fixedInAResumedRun = Role::code | Role::weights | Role::measurement;

template <typename S, typename T> struct Field {
  const char *name; // in JSON
  T S::*member;
  Role role;
  /// Its key in the resolved form below that of the struct: names with dots between, `*` for any name, `**` for any rest; "": that of the
  /// struct itself. Several are parted by `|`.
  const char *setting;
};
template <typename S, typename T> constexpr Field<S, T> field(const char *name, T S::*member, Role role, const char *setting) {
  return {name, member, role, setting};
}
template <typename S, typename T> constexpr Field<S, T> field(const char *name, T S::*member, Role role) {
  return {name, member, role, name};
}
/// A struct, or a list of structs.
template <typename S, typename T> constexpr Field<S, T> part(const char *name, T S::*member, const char *setting) {
  return {name, member, Role::ofItsFields, setting};
}

template <typename T>
concept Described = requires { T::fields(); };

/// The struct of a part: T, or what T is a list of.
template <typename T> struct PartOf {
  using type = T;
};
template <typename T> struct PartOf<std::vector<T>> {
  using type = T;
};

template <Described S, typename F> constexpr void eachField(F &&body) {
  std::apply([&](const auto &...one) { (body(one), ...); }, S::fields());
}

/// Whether some field of S, or of its parts, has one of the roles.
template <Described S> constexpr bool hasRole(Roles roles) {
  bool has = false;
  eachField<S>([&]<typename B, typename T>(const Field<B, T> &one) {
    using Part = typename PartOf<T>::type;
    if constexpr (Described<Part>) {
      has = has || hasRole<Part>(roles);
    } else {
      has = has || roles.has(one.role);
    }
  });
  return has;
}

/// What is left of a key behind `setting`; nothing where it does not begin so.
std::optional<std::string_view> keyBehind(std::string_view key, std::string_view setting);

/// What the setting `key` of the resolved form decides: the role of the field that it gives. Nothing where it gives none.
template <Described S> std::optional<Role> roleOfKey(std::string_view key) {
  std::optional<Role> role;
  eachField<S>([&]<typename B, typename T>(const Field<B, T> &one) {
    using Part = typename PartOf<T>::type;
    std::string_view settings = one.setting;
    for (bool more = true; more && !role;) {
      const std::size_t end = settings.find('|');
      const std::optional<std::string_view> rest = keyBehind(key, settings.substr(0, end));
      more = end != std::string_view::npos;
      settings = more ? settings.substr(end + 1) : settings;
      if (!rest) {
        continue;
      }
      if constexpr (Described<Part>) {
        role = roleOfKey<Part>(*rest);
      } else if (rest->empty() || std::is_same_v<T, NamedValues>) {
        role = one.role;
      }
    }
  });
  return role;
}

/// Gives a parameter of a call to the field of that name; false where there is none, or it has another type.
template <Described S> bool setField(S &object, std::string_view name, const NamedValue &value) {
  bool set = false;
  eachField<S>([&]<typename B, typename T>(const Field<B, T> &one) {
    if (set || one.name != name) {
      return;
    }
    if constexpr (std::is_same_v<T, std::uint64_t>) {
      const auto *given = std::get_if<std::int64_t>(&value);
      set = given != nullptr;
      object.*one.member = set ? static_cast<std::uint64_t>(*given) : object.*one.member;
    } else if constexpr (std::is_constructible_v<NamedValue, std::in_place_type_t<T>>) {
      const auto *given = std::get_if<T>(&value);
      set = given != nullptr;
      if (set) {
        object.*one.member = *given;
      }
    }
  });
  return set;
}

} // namespace penstock
