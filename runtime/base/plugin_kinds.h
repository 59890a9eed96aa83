// The kinds of plugins: what is the same for all plugins of a kind stands in its one row. A kind is added by its table of functions in
// runtime/abi/plugin_abi.h, its row here, and what the host does with its functions in runtime/plugin/plugin_<name>.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace penstock {

/// A row is (name, number in the ABI, the members of PluginKindRow from `place` on).
#define PENSTOCK_PLUGIN_KINDS(KIND)                                                                                                        \
  KIND(tokenizer, 1, .place = PluginPlace::text, .heading = "Tokenizers", .fits = true)                                                    \
  KIND(head, 2, .place = PluginPlace::model, .heading = "Heads", .verb = "predicts", .input = true, .target = true,                        \
       .alone = "it is a part of a model and has weights to train")                                                                        \
  KIND(metric, 3, .place = PluginPlace::evaluate, .heading = "Metrics", .verb = "judges", .target = true, .severalTargets = true,          \
       .results = true, .elsewhere = "metrics stand in `evaluate`")                                                                        \
  KIND(learner, 4, .place = PluginPlace::model, .heading = "Learners", .verb = "predicts", .fits = true, .input = true, .target = true,    \
       .optionalTarget = true, .afterTraining = true, .alone = "it ends the flow of a model")                                              \
  KIND(source, 5, .place = PluginPlace::source, .heading = "Sources", .elsewhere = "sources stand in `data`, as `source: NAME(...)`")

#define PENSTOCK_KIND(ID, NUMBER, ...) ID = NUMBER,
enum class PluginKind : std::uint32_t { PENSTOCK_PLUGIN_KINDS(PENSTOCK_KIND) };
#undef PENSTOCK_KIND

/// Where a plugin of a kind stands in a pipeline: in the flow of a text, at the end of the flow of a model, in `evaluate`, or as the source
/// of `data`.
enum class PluginPlace { text, model, evaluate, source };
constexpr bool standsInFlow(PluginPlace place) { return place == PluginPlace::text || place == PluginPlace::model; }

struct PluginKindRow {
  PluginKind kind;
  const char *name;
  PluginPlace place;
  const char *heading;         // of a page about its plugins
  const char *verb = "";       // what it does with its target
  bool fits = false;           // plugin.toml may say `fits`: it needs a fit on train
  bool input = false;          // plugin.toml says `input`: "vector" or "sequence"
  bool target = false;         // plugin.toml says `target`
  bool severalTargets = false; // ... which may be a list
  bool optionalTarget = false; // ... or may leave it out
  bool results = false;        // plugin.toml lists `results`: the numbers that it gives
  bool afterTraining = false;  // it has no weights and is fitted when they are final
  const char *elsewhere = "";  // a sentence, of a kind that stands in no flow: where it does
  const char *alone = "";      // why `plugin run` cannot run it; "": it can
};

#define PENSTOCK_KIND(ID, NUMBER, ...) {.kind = PluginKind::ID, .name = #ID, __VA_ARGS__},
inline constexpr PluginKindRow pluginKinds[] = {PENSTOCK_PLUGIN_KINDS(PENSTOCK_KIND)};
#undef PENSTOCK_KIND

constexpr const PluginKindRow &rowOf(PluginKind kind) {
  for (const PluginKindRow &row : pluginKinds) {
    if (row.kind == kind) {
      return row;
    }
  }
  return pluginKinds[0];
}

constexpr const char *kindName(PluginKind kind) { return rowOf(kind).name; }

/// The row of that name; NULL where there is none.
constexpr const PluginKindRow *findKind(std::string_view name) {
  for (const PluginKindRow &row : pluginKinds) {
    if (name == row.name) {
      return &row;
    }
  }
  return nullptr;
}

/// "tokenizer, head, metric or learner", of those that `wanted` takes.
template <typename Wanted> std::string kindNames(Wanted &&wanted) {
  std::string text, last;
  for (const PluginKindRow &row : pluginKinds) {
    if (wanted(row)) {
      text += last.empty() ? "" : (text.empty() ? "" : ", ") + last;
      last = row.name;
    }
  }
  return text.empty() ? last : text + " or " + last;
}
inline std::string kindNames() {
  return kindNames([](const PluginKindRow &) { return true; });
}

} // namespace penstock
