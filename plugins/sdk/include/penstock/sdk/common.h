// What every kind of plugin uses: parameters, failures, and the wall that no exception passes.
#pragma once

#include <penstock/plugin_abi.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace penstock::sdk {

/// Thrown by a plugin with a sentence for a person (lower case: the situation, then the hint).
class Failure : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

inline std::string_view view(PenstockString text) { return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size); }
inline PenstockString string(std::string_view text) { return {text.data(), text.size()}; }

/// The parameters of the call: every parameter of plugin.toml, of its declared type, defaults filled in and ranges checked by
/// the host. Asking for another name or type is a mistake of the plugin and fails. Whether an optional one was given says `has`.
class Parameters {
public:
  explicit Parameters(const PenstockParameters *given, const PenstockHost *host = nullptr) : given(given), host(host) {}

  bool has(std::string_view name) const {
    for (std::int32_t i = 0; i < count(); ++i) {
      if (view(item(i).name) == name) {
        return true;
      }
    }
    return false;
  }
  /// Warns a person of something about the parameter, or, where the name is empty, about the call. Heard in a tokenizer's fit only.
  void remark(std::string_view name, std::string_view text) const {
    if (host != nullptr && host->remark != nullptr) {
      host->remark(host->context, string(name), string(text));
    }
  }

  bool flag(std::string_view name) const { return find(name, PENSTOCK_VALUE_BOOL).integer != 0; }
  std::int64_t integer(std::string_view name) const { return find(name, PENSTOCK_VALUE_INT).integer; }
  double number(std::string_view name) const { return find(name, PENSTOCK_VALUE_FLOAT).number; }
  /// Of a string, an enumeration or a path (absolute).
  std::string_view text(std::string_view name) const { return view(find(name, PENSTOCK_VALUE_STRING).string); }
  std::vector<std::string_view> texts(std::string_view name) const {
    const PenstockValue &item = find(name, PENSTOCK_VALUE_STRINGS);
    std::vector<std::string_view> all;
    for (std::int64_t i = 0; i < item.count; ++i) {
      all.push_back(view(item.strings[i]));
    }
    return all;
  }
  std::span<const double> numbers(std::string_view name) const {
    const PenstockValue &item = find(name, PENSTOCK_VALUE_NUMBERS);
    return {item.numbers, static_cast<std::size_t>(item.count)};
  }

private:
  const PenstockValue &find(std::string_view name, std::int32_t kind) const {
    for (std::int32_t i = 0; i < count(); ++i) {
      if (view(item(i).name) == name && item(i).kind == kind) {
        return item(i);
      }
    }
    throw Failure("the plugin asks for a parameter `" + std::string(name) + "` that its plugin.toml does not declare with this type");
  }
  std::int32_t count() const { return given == nullptr ? 0 : given->values.count; }
  const PenstockValue &item(std::int32_t index) const {
    return *static_cast<const PenstockValue *>(penstock_table_row(&given->values, index));
  }
  const PenstockParameters *given;
  const PenstockHost *host;
};

inline std::vector<std::string> strings(const PenstockString *texts, std::int64_t count) {
  std::vector<std::string> all;
  for (std::int64_t i = 0; i < count; ++i) {
    all.emplace_back(view(texts[i]));
  }
  return all;
}

/// Runs `work`; whatever it throws becomes a filled PenstockError and a return value of 1, or, where it is no sentence for a person,
/// PENSTOCK_UNEXPECTED.
template <typename Work> std::int32_t guarded(PenstockError *error, Work &&work) noexcept {
  const auto say = [&](const char *text, std::int32_t code) {
    if (error != nullptr) {
      std::snprintf(error->text, sizeof error->text, "%s", text);
    }
    return code;
  };
  try {
    work();
    return 0;
  } catch (const Failure &failure) {
    return say(failure.what(), 1);
  } catch (const std::bad_alloc &) {
    return say("there is not enough memory", 1);
  } catch (const std::exception &exception) {
    return say(exception.what(), PENSTOCK_UNEXPECTED);
  } catch (...) {
    return say("an exception of unknown type", PENSTOCK_UNEXPECTED);
  }
}

/// The same for functions that have no error to fill: what they return where `work` throws.
template <typename Value, typename Work> Value guardedOr(Value otherwise, Work &&work) noexcept {
  try {
    return work();
  } catch (...) {
    return otherwise;
  }
}

/// Deletes what `create` or `fit_begin` made; nobody can be told what its destructor throws.
template <typename T> void destroyed(void *object) noexcept {
  try {
    delete static_cast<T *>(object);
  } catch (...) { // NOLINT(bugprone-empty-catch)
  }
}

/// Objects with memory that calls use again. A call borrows one, which is its own until it ends; any number of threads call at once.
template <typename T> class Spares {
public:
  /// One that is idle, else what `make` returns.
  template <typename Make> auto borrow(Make make) {
    const auto giveBack = [this](T *used) {
      const std::lock_guard<std::mutex> guard(mutex);
      idle.emplace_back(used);
    };
    return std::unique_ptr<T, decltype(giveBack)>(take(make), giveBack);
  }

private:
  template <typename Make> T *take(Make make) {
    const std::lock_guard<std::mutex> guard(mutex);
    if (idle.empty()) {
      idle.reserve(++made); // so that giving back cannot fail
      return new T(make());
    }
    T *const taken = idle.back().release();
    idle.pop_back();
    return taken;
  }

  std::mutex mutex;
  std::vector<std::unique_ptr<T>> idle;
  std::size_t made = 0;
};

/// What a plugin's class has as `Scratch`: memory of a call, which calls use again.
struct NoScratch {};
template <typename T> struct ScratchOf {
  using Type = NoScratch;
};
template <typename T>
  requires requires { typename T::Scratch; }
struct ScratchOf<T> {
  using Type = typename T::Scratch;
};

/// `call(scratch)`, or `call()` where the class has none.
template <typename Scratch, typename Call> void withScratch(Scratch &scratch, Call call) {
  if constexpr (std::is_same_v<Scratch, NoScratch>) {
    call();
  } else {
    call(scratch);
  }
}

/// Stands for the fit of a plugin that has none.
struct NoFit {};

/// Fails where the host stops the plugin.
inline void writeAll(const PenstockByteSink *sink, std::string_view bytes) {
  if (sink->write(sink->context, bytes.data(), bytes.size()) != 0) {
    throw Failure("the host stopped the plugin");
  }
}

/// What the tables of tokenizers and learners have in common: how their fits begin (`more`: what the constructor takes after the
/// parameters, each made of what the boundary gives), end and are given up.
template <typename Fit, typename... More> struct FitFunctions {
  static std::int32_t begin(const PenstockHost *host, const PenstockParameters *parameters, const More *...more, void **fit,
                            PenstockError *error) {
    return guarded(error, [&] { *fit = std::make_unique<Fit>(Parameters(parameters, host), *more...).release(); });
  }
  static std::int32_t end(void *fit, const PenstockByteSink *state, PenstockError *error) {
    return guarded(error, [&] {
      const std::unique_ptr<Fit> owned(static_cast<Fit *>(fit));
      writeAll(state, owned->end());
    });
  }
  static void abandon(void *fit) { destroyed<Fit>(fit); }

  /// Fills the entries of a table, with `fitAdd` of `Functions`; none where there is no fit.
  template <typename Functions, typename Table> static void fill(Table &table) {
    if constexpr (!std::is_same_v<Fit, NoFit>) {
      table.fit_begin = begin;
      table.fit_add = Functions::fitAdd;
      table.fit_end = end;
      table.fit_abandon = abandon;
    }
  }
};

} // namespace penstock::sdk

/// The entry of the library: KIND of PenstockPluginKind, FUNCTIONS the table for it.
#define PENSTOCK_PLUGIN_ENTRY(KIND, FUNCTIONS, NAME, VERSION)                                                                              \
  extern "C" __attribute__((visibility("default"))) const PenstockPlugin *penstock_plugin(void);                                           \
  const PenstockPlugin *penstock_plugin(void) {                                                                                            \
    static const PenstockPlugin plugin = {                                                                                                 \
        sizeof(PenstockPlugin), PENSTOCK_PLUGIN_ABI_MAJOR, PENSTOCK_PLUGIN_ABI_MINOR, KIND, NAME, VERSION, FUNCTIONS};                     \
    return &plugin;                                                                                                                        \
  }
