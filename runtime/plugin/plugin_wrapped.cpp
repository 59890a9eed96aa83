#include "runtime/plugin/plugin_wrapped.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <mutex>
#include <tuple>
#include <type_traits>

namespace penstock {

namespace {

/// The plugin that is wrapped: its functions have no argument that could say so.
struct Current {
  const void *functions = nullptr;
  const PluginLabel *label = nullptr;
  std::mutex mutex;
  std::vector<std::string> faults;
  PenstockTokenizer tokenizer{};
  PenstockHead head{};
  PenstockMetric metric{};
  PenstockLearner learner{};
} current;

/// A name as an argument of a template.
template <std::size_t Size> struct Name {
  constexpr Name(const char (&given)[Size]) { std::copy_n(given, Size, text); }
  char text[Size];
};

template <auto Member, Name entry> struct Through;

template <typename Table, typename Value, typename... Given, Value (*Table::*Member)(Given...), Name entry> struct Through<Member, entry> {
  static constexpr bool hasError = std::is_same_v<std::tuple_element_t<sizeof...(Given) - 1, std::tuple<Given...>>, PenstockError *>;

  static Value call(Given... given) {
    const auto *real = static_cast<const Table *>(current.functions);
    std::tuple<Given...> arguments(given...);
    if constexpr (std::is_void_v<Value>) {
      note(callPlugin(*current.label, entry.text, [&](PenstockError *) {
        std::apply(real->*Member, arguments);
        return 0;
      }));
    } else {
      Value value{};
      PenstockError *told = nullptr;
      const Status done = callPlugin(*current.label, entry.text, [&](PenstockError *error) -> std::int32_t {
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
    const std::lock_guard<std::mutex> guard(current.mutex);
    if (std::find(current.faults.begin(), current.faults.end(), done.message()) == current.faults.end()) {
      current.faults.push_back(done.message());
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

const void *wrap(const PenstockPlugin &real) {
  switch (real.kind) {
  case PENSTOCK_TOKENIZER: {
    PenstockTokenizer &table = current.tokenizer = copyOf<PenstockTokenizer>(real.functions);
    wrapFit(table);
    WRAP(table, PenstockTokenizer, create);
    WRAP(table, PenstockTokenizer, destroy);
    WRAP(table, PenstockTokenizer, vocabulary_size);
    WRAP(table, PenstockTokenizer, unknown_id);
    WRAP(table, PenstockTokenizer, token);
    WRAP(table, PenstockTokenizer, encode);
    WRAP(table, PenstockTokenizer, special_tokens);
    return &table;
  }
  case PENSTOCK_HEAD: {
    PenstockHead &table = current.head = copyOf<PenstockHead>(real.functions);
    WRAP(table, PenstockHead, build);
    WRAP(table, PenstockHead, decode);
    WRAP(table, PenstockHead, decode_tags);
    return &table;
  }
  case PENSTOCK_METRIC: {
    PenstockMetric &table = current.metric = copyOf<PenstockMetric>(real.functions);
    WRAP(table, PenstockMetric, create);
    WRAP(table, PenstockMetric, create_for);
    WRAP(table, PenstockMetric, destroy);
    WRAP(table, PenstockMetric, add);
    WRAP(table, PenstockMetric, merge);
    WRAP(table, PenstockMetric, result);
    return &table;
  }
  default: {
    PenstockLearner &table = current.learner = copyOf<PenstockLearner>(real.functions);
    wrapFit(table);
    WRAP(table, PenstockLearner, create);
    WRAP(table, PenstockLearner, destroy);
    WRAP(table, PenstockLearner, answer);
    return &table;
  }
  }
}

#undef WRAP

} // namespace

WrappedPlugin::WrappedPlugin(const PenstockPlugin &real, const PluginLabel &label) : wrapped(real) {
  current.functions = real.functions;
  current.label = &label;
  current.faults.clear();
  wrapped.functions = wrap(real);
}

WrappedPlugin::~WrappedPlugin() { current.functions = nullptr; }

std::vector<std::string> WrappedPlugin::faults() const {
  const std::lock_guard<std::mutex> guard(current.mutex);
  return current.faults;
}

} // namespace penstock
