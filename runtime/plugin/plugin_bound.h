// What the parts of the host share that make tokenizers, heads, metrics and learners out of loaded plugins.
#pragma once

#include "runtime/plugin/plugin_call.h"
#include "runtime/plugin/plugin_host.h"

#include <optional>
#include <utility>

namespace penstock {

/// What everything made by a plugin keeps. The library stays as long as the host.
struct Bound {
  std::shared_ptr<const PluginArguments> arguments;
  const PluginManifest *manifest = nullptr;
  const PluginLabel *label = nullptr;
  const PenstockHost *services = nullptr;
  const void *functions = nullptr;

  template <typename Functions> const Functions *table() const { return static_cast<const Functions *>(functions); }
  const PenstockParameters *parameters() const { return arguments->view(); }
  /// See callPlugin.
  template <typename Work> Status call(const char *entry, Work &&work) const { return callPlugin(*label, entry, std::forward<Work>(work)); }
  Status broken(const char *entry, const std::string &reason) const { return brokenContract(*label, entry, reason); }
};

Result<Bound> bindPlugin(PluginHost &host, const std::string &plugin, PluginKind kind, const std::string &parametersJson);

// The functions of plugin_host.h on a plugin that is bound, for the scan, which has no host.
Result<std::shared_ptr<const Tokenizer>> makeTokenizer(Bound bound, const std::string &state);
Result<std::unique_ptr<TokenizerFit>> fitTokenizer(Bound bound);
Result<std::unique_ptr<const Learner>> makeLearner(Bound bound, const LearningSpec &learning, const std::string &state);
Result<std::unique_ptr<LearnerFit>> fitLearner(Bound bound, const LearningSpec &learning);
Result<std::unique_ptr<Metric>> makeMetric(Bound bound, const JudgingSpec &judging);
Result<std::unique_ptr<const Head>> makeHead(Bound bound, const ColumnField *target);

inline PenstockString stringView(std::string_view text) { return {text.data(), text.size()}; }

template <typename Given> void viewStrings(const Given &texts, std::vector<PenstockString> &views) {
  views.clear();
  views.reserve(texts.size());
  for (const std::string_view text : texts) {
    views.push_back(stringView(text));
  }
}
template <typename Given> std::vector<PenstockString> stringViews(const Given &texts) {
  std::vector<PenstockString> views;
  viewStrings(texts, views);
  return views;
}

/// The end of something that a plugin made: nobody waits for what it says, so a broken contract is told on stderr.
template <typename Work> void endObject(const Bound &bound, const char *entry, Work &&work) {
  tellFault(bound.call(entry, std::forward<Work>(work)));
}
void tellFault(const Status &fault);

/// What a sink of the host found wrong. Once there is a fault it takes nothing more.
class Fault {
public:
  bool none() const { return !reason; }
  /// Keeps the first; always 1, for a sink to return.
  std::int32_t say(std::string text) {
    if (!reason) {
      reason = std::move(text);
    }
    return 1;
  }
  /// What the call came to: what the plugin handed in counts before what it said. A sink that had no memory is no fault of it.
  Status of(const Bound &bound, const char *entry, Status call) const { return reason ? bound.broken(entry, *reason) : std::move(call); }
  /// The body of a sink: no exception of ours goes into a plugin.
  template <typename Work> std::int32_t guard(Work &&work) noexcept {
    if (!none()) {
      return 1;
    }
    try {
      return work();
    } catch (...) { // only memory: nothing of the plugin runs in here
      noMemory = true;
      return 1;
    }
  }
  Status memory(const Bound &bound, const char *entry) const;
  bool outOfMemory() const { return noMemory; }

private:
  std::optional<std::string> reason;
  bool noMemory = false;
};

/// The sink that this thread's call may use, while the call lasts. A plugin that hands its sink another context, or calls it from
/// another thread or after the call, reaches nothing.
class ActiveSink {
public:
  ActiveSink(const void *context, Fault &fault) : outer(std::exchange(current, {context, &fault})) {}
  ~ActiveSink() { current = outer; }
  ActiveSink(const ActiveSink &) = delete;
  ActiveSink &operator=(const ActiveSink &) = delete;

  /// The object behind a context that came back from a plugin, or NULL.
  template <typename T> static T *find(void *context) noexcept {
    if (context == nullptr || context != current.context) {
      if (current.fault != nullptr) {
        current.fault->guard([] { return current.fault->say("it calls the host with a context that is not the one it was given"); });
      }
      return nullptr;
    }
    return static_cast<T *>(context);
  }

private:
  struct Active {
    const void *context = nullptr;
    Fault *fault = nullptr;
  };
  static thread_local Active current;
  Active outer;
};

/// Runs a call whose sink has the context `sink` and reports to `fault`.
template <typename Work> Status callWithSink(const Bound &bound, const char *entry, const void *sink, Fault &fault, Work &&work) {
  const ActiveSink active(sink, fault);
  Status done = bound.call(entry, std::forward<Work>(work));
  if (fault.outOfMemory()) {
    return fault.memory(bound, entry);
  }
  return fault.of(bound, entry, std::move(done));
}

/// Bytes that a plugin writes, at most `limit` of them.
class ByteCollector {
public:
  explicit ByteCollector(std::size_t limit);
  ByteCollector(const ByteCollector &) = delete;
  ByteCollector &operator=(const ByteCollector &) = delete;
  PenstockByteSink sink{};
  std::string bytes;
  Fault fault;

private:
  std::size_t limit;
};

/// Takes the fields that a plugin describes.
class FieldCollector {
public:
  FieldCollector();
  FieldCollector(const FieldCollector &) = delete;
  FieldCollector &operator=(const FieldCollector &) = delete;
  PenstockFieldSink sink{};
  Schema schema;
  Fault fault;
};

/// Asks `describe` of an object, which gives one field at least.
template <typename Functions> Result<Schema> describedBy(const Bound &bound, const Functions *functions, const void *self) {
  FieldCollector collector;
  PENSTOCK_TRY(callWithSink(bound, "describe", &collector, collector.fault,
                            [&](PenstockError *error) { return functions->describe(self, &collector.sink, error); }));
  if (collector.schema.empty()) {
    return bound.broken("describe", "it describes no field");
  }
  return std::move(collector.schema);
}

/// Takes the answers of records, in their order, and misses none.
class ColumnCollector {
public:
  /// `wanted` is one a field, or empty: all.
  ColumnCollector(const Schema &schema, std::vector<bool> wanted, std::int64_t records, std::vector<Column> &columns);
  ColumnCollector(const ColumnCollector &) = delete;
  ColumnCollector &operator=(const ColumnCollector &) = delete;
  Status finish(const Bound &bound, const char *entry) const;
  PenstockColumnSink sink{};
  Fault fault;

private:
  const Schema &schema;
  std::vector<bool> wanted;
  std::int64_t left;
  std::vector<Column> &columns;
  std::size_t bytes = 0;
};

/// A fit under way: of `Functions` of the ABI for the host's `Interface`.
template <typename Interface, typename Functions> class PluginFit : public Interface {
public:
  PluginFit(Bound bound, void *fit, std::size_t stateLimit)
      : bound(std::move(bound)), functions(this->bound.template table<Functions>()), fit(fit), stateLimit(stateLimit) {}
  ~PluginFit() override {
    if (fit != nullptr) {
      endObject(bound, "fit_abandon", [&](PenstockError *) {
        functions->fit_abandon(fit);
        return 0;
      });
    }
  }

  Result<std::string> end() override {
    if (fit == nullptr) {
      return internalError("a fit was ended twice");
    }
    ByteCollector state(stateLimit);
    void *const mine = std::exchange(fit, nullptr);
    PENSTOCK_TRY(callWithSink(bound, "fit_end", &state, state.fault,
                              [&](PenstockError *error) { return functions->fit_end(mine, &state.sink, error); }));
    return std::move(state.bytes);
  }

protected:
  template <typename... Given> Status give(Given... given) {
    if (fit == nullptr) {
      return internalError("more was added to a fit that has ended");
    }
    return bound.call("fit_add", [&](PenstockError *error) { return functions->fit_add(fit, given..., error); });
  }

  Bound bound;

private:
  const Functions *functions;
  void *fit;
  std::size_t stateLimit;
};

/// Begins a fit, or makes an object: the pointer that a plugin gives is not NULL.
template <typename Work> Result<void *> makeObject(const Bound &bound, const char *entry, Work &&work) {
  void *made = nullptr;
  PENSTOCK_TRY(bound.call(entry, [&](PenstockError *error) { return work(&made, error); }));
  if (made == nullptr) {
    return bound.broken(entry, "it made nothing and reported no error");
  }
  return made;
}

} // namespace penstock
