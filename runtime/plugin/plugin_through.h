// Calls of a plugin's functions as the C functions they are, each contained: what `wrap` of a kind puts into its table.
#pragma once

#include "runtime/plugin/plugin_call.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <mutex>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace penstock {

/// The plugin that is wrapped: its functions have no argument that could say so.
struct CurrentPlugin {
  const void *functions = nullptr;
  const PluginLabel *label = nullptr;
  std::mutex mutex;
  std::vector<std::string> faults;
};
inline CurrentPlugin currentPlugin;

/// A name as an argument of a template.
template <std::size_t Size> struct Name {
  constexpr Name(const char (&given)[Size]) { std::copy_n(given, Size, text); }
  char text[Size];
};

template <auto Member, Name entry> struct Through;

template <typename Table, typename Value, typename... Given, Value (*Table::*Member)(Given...), Name entry> struct Through<Member, entry> {
  static constexpr bool hasError = std::is_same_v<std::tuple_element_t<sizeof...(Given) - 1, std::tuple<Given...>>, PenstockError *>;

  static Value call(Given... given) {
    const auto *real = static_cast<const Table *>(currentPlugin.functions);
    std::tuple<Given...> arguments(given...);
    if constexpr (std::is_void_v<Value>) {
      note(callPlugin(*currentPlugin.label, entry.text, [&](PenstockError *) {
        std::apply(real->*Member, arguments);
        return 0;
      }));
    } else {
      Value value{};
      PenstockError *told = nullptr;
      const Status done = callPlugin(*currentPlugin.label, entry.text, [&](PenstockError *error) -> std::int32_t {
        if constexpr (hasError) {
          told = std::exchange(std::get<sizeof...(Given) - 1>(arguments), error);
        }
        value = std::apply(real->*Member, arguments);
        return hasError ? static_cast<std::int32_t>(value) : 0;
      });
      note(done);
      if (!done.ok()) {
        if (told != nullptr) {
          std::snprintf(told->text, sizeof told->text, "%s", done.message().c_str());
        }
        return hasError ? Value{1} : static_cast<Value>(-1);
      }
      return value;
    }
  }

  static void note(const Status &done) {
    if (done.ok() || done.code() == ErrorCode::invalidInput) { // a plugin may refuse
      return;
    }
    const std::lock_guard<std::mutex> guard(currentPlugin.mutex);
    if (std::find(currentPlugin.faults.begin(), currentPlugin.faults.end(), done.message()) == currentPlugin.faults.end()) {
      currentPlugin.faults.push_back(done.message());
    }
  }
};

#define WRAP(table, Table, entry) (table).entry = (table).entry == nullptr ? nullptr : Through<&Table::entry, #entry>::call

template <typename Table> void wrapFit(Table &table) {
  WRAP(table, Table, fit_begin);
  WRAP(table, Table, fit_add);
  WRAP(table, Table, fit_end);
  WRAP(table, Table, fit_abandon);
}

template <typename Table> Table copyOf(const void *functions) {
  Table table{};
  const auto *real = static_cast<const Table *>(functions);
  std::copy_n(static_cast<const std::byte *>(functions), std::min<std::size_t>(real->struct_size, sizeof table),
              reinterpret_cast<std::byte *>(&table));
  table.struct_size = std::min<std::uint32_t>(real->struct_size, sizeof table);
  return table;
}

} // namespace penstock
