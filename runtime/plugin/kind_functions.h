// What the host does with the functions of each kind of plugin: a KindFunctions a kind, in plugin_<kind>.cpp.
#pragma once

#include "runtime/plugin/plugin_bound.h"

#include <cstddef>
#include <string>

namespace penstock {

/// What a table of functions lacks: the first thing that is not there, in words.
class Missing {
public:
  void need(bool present, const char *name);
  /// The functions of a fit, where the manifest says that there is one.
  template <typename Functions> void needFit(const PluginManifest &manifest, const Functions &functions) {
    if (manifest.fits) {
      need(functions.fit_begin, "fit_begin");
      need(functions.fit_add, "fit_add");
      need(functions.fit_end, "fit_end");
      need(functions.fit_abandon, "fit_abandon");
    }
  }
  std::string reason; // "" while all is there
};

struct KindFunctions {
  std::size_t size; // of the table of functions as its first version had it
  /// Whether every function that a plugin needs is there; the table has `size` bytes at least.
  void (*check)(const PluginManifest &manifest, const void *functions, Missing &missing);
  /// Calls what needs no data of the user; see tryPlugin.
  Status (*attempt)(const Bound &bound);
  /// A table whose functions call these, contained, of the one plugin that is wrapped at a time; see WrappedPlugin.
  const void *(*wrap)(const void *functions);
};

#define PENSTOCK_KIND(name, ...) extern const KindFunctions name##Functions;
PENSTOCK_PLUGIN_KINDS(PENSTOCK_KIND)
#undef PENSTOCK_KIND

const KindFunctions &functionsOf(PluginKind kind);

/// A plugin may refuse what it is tried with; only a broken contract is a verdict.
inline bool refused(const Status &status) { return status.code() == ErrorCode::invalidInput; }

#define TRY_UNLESS_REFUSED(expression)                                                                                                     \
  do {                                                                                                                                     \
    if (Status tried = (expression); !tried.ok()) {                                                                                        \
      return refused(tried) ? Status::success() : tried;                                                                                   \
    }                                                                                                                                      \
  } while (false)
#define TAKE_UNLESS_REFUSED(target, expression)                                                                                            \
  auto target##Result = (expression);                                                                                                      \
  TRY_UNLESS_REFUSED(target##Result.status());                                                                                             \
  auto target = std::move(target##Result).value()

} // namespace penstock
