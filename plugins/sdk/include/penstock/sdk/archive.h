// The state of an object as bytes and back. A class lists what it holds in one function, for both ways:
//
//     template <typename Archive> void state(Archive &archive) { archive(counts, total, byName); }
//
// Numbers, flags, enumerations, strings, vectors, pairs, maps, and classes that list theirs; `archive.require(...)` says what holds of
// every good state. Numbers are little-endian.
#pragma once

#include <penstock/sdk/common.h>

#include <bit>
#include <cstring>
#include <map>

namespace penstock::sdk {

static_assert(std::endian::native == std::endian::little);

namespace detail {

template <typename T> constexpr bool isVector = false;
template <typename T, typename A> constexpr bool isVector<std::vector<T, A>> = true;
template <typename T> constexpr bool isPair = false;
template <typename A, typename B> constexpr bool isPair<std::pair<A, B>> = true;
template <typename T> constexpr bool isMap = false;
template <typename K, typename V, typename C, typename A> constexpr bool isMap<std::map<K, V, C, A>> = true;

} // namespace detail

class StateWriter {
public:
  template <typename... T> void operator()(T &...values) { (write(values), ...); }
  void require(bool) {}
  std::string bytes;

private:
  template <typename Given> void write(Given &value) {
    using T = std::remove_const_t<Given>; // keys of maps
    if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
      bytes.append(reinterpret_cast<const char *>(&value), sizeof value);
    } else if constexpr (std::is_same_v<T, std::string>) {
      size(value.size());
      bytes += value;
    } else if constexpr (detail::isPair<T>) {
      write(value.first);
      write(value.second);
    } else if constexpr (std::is_same_v<T, std::vector<bool>>) {
      size(value.size());
      for (const bool one : value) {
        bytes += one ? '\1' : '\0';
      }
    } else if constexpr (detail::isVector<T> || detail::isMap<T>) {
      size(value.size());
      for (auto &one : value) {
        write(one);
      }
    } else {
      value.state(*this);
    }
  }
  void size(std::uint64_t count) { bytes.append(reinterpret_cast<const char *>(&count), sizeof count); }
};

/// Fails where the bytes are not what a writer wrote.
class StateReader {
public:
  explicit StateReader(std::string_view bytes) : rest(bytes) {}
  template <typename... T> void operator()(T &...values) { (read(values), ...); }
  void require(bool holds) const {
    if (!holds) {
      throw Failure("the saved state is damaged");
    }
  }
  void end() const { require(rest.empty()); }

private:
  template <typename T> void read(T &value) {
    if constexpr (std::is_same_v<T, bool>) {
      value = take(1)[0] != 0;
    } else if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
      std::memcpy(&value, take(sizeof value).data(), sizeof value);
    } else if constexpr (std::is_same_v<T, std::string>) {
      value = take(size());
    } else if constexpr (detail::isPair<T>) {
      read(const_cast<std::remove_const_t<decltype(value.first)> &>(value.first));
      read(value.second);
    } else if constexpr (std::is_same_v<T, std::vector<bool>>) {
      const std::string_view flags = take(size());
      value.assign(flags.size(), false);
      for (std::size_t i = 0; i < flags.size(); ++i) {
        value[i] = flags[i] != 0;
      }
    } else if constexpr (detail::isVector<T>) {
      value.clear();
      for (std::uint64_t count = size(); count > 0; --count) {
        value.emplace_back();
        read(value.back());
      }
    } else if constexpr (detail::isMap<T>) {
      value.clear();
      for (std::uint64_t count = size(); count > 0; --count) {
        std::pair<typename T::key_type, typename T::mapped_type> one;
        read(one);
        value.insert(std::move(one));
      }
    } else {
      value.state(*this);
    }
  }
  /// Every item takes a byte at least, so that a damaged count asks for no memory.
  std::uint64_t size() {
    std::uint64_t count = 0;
    std::memcpy(&count, take(sizeof count).data(), sizeof count);
    require(count <= rest.size());
    return count;
  }
  std::string_view take(std::uint64_t count) {
    require(count <= rest.size());
    const std::string_view taken = rest.substr(0, count);
    rest.remove_prefix(count);
    return taken;
  }

  std::string_view rest;
};

} // namespace penstock::sdk
