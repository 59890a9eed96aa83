// Names: what is declared, by whom, and what a name can mean at a call. Evaluates nothing.
#pragma once

#include "compiler/frontend/check/reporter.h"
#include "compiler/frontend/check/value.h"
#include "runtime/base/names.h"

#include <set>

namespace penstock::frontend {

struct Scope {
  const Unit *unit = nullptr;
  struct Declared {
    Value value;
    Span span;
  };
  NameMap<Declared> values;
  std::map<std::string, std::pair<std::shared_ptr<Instance>, Span>> instances;
  std::set<std::string> bindings; // names that the body binds: ordinals keep clear of them
};

/// Where an expression stands: what instances in it are called.
struct Place {
  std::string path;
  std::map<std::string, int> ordinals;
  const std::set<std::string> *reserved = nullptr; // names that bindings beside it have

  /// The path of the next instance of `name` here: `answer.linear_0`.
  std::string next(const std::string &name);
};

class Scopes {
public:
  Scopes(const Program &program, const std::vector<PluginManifest> &manifests, Reporter &reporter);

  const std::vector<PluginManifest> &plugins() const { return manifests; }
  /// The names of the main file: params, columns, features, bindings of the model.
  Scope top;

  /// False after a report where the scope has that name already.
  bool declare(Scope &scope, const std::string &name, const Span &span, Value value);

  Callable find(const std::string &name, const Scope &scope) const;
  /// `flow`: what flows into the call, nullptr for nothing. Reports what cannot be called; the kind is `none` then.
  Callable resolve(const Expression &callee, const Scope &scope, const Value *flow = nullptr);

  /// The standard head of targets of that type, which decodes what heads of the language answer for them; "" for none.
  std::string headOf(const std::string &type) const;

  /// Blocks that are missing or not of this edition.
  void checkShape();
  /// Definitions whose names are taken, and plugins of `use` that are not there.
  void checkUses();

private:
  std::vector<std::string> callableNames(const Scope &scope, const Value *flow) const;
  void checkUse(const Unit &unit, const Use &use);

  const Program &program;
  const std::vector<PluginManifest> &manifests;
  Reporter &reporter;
};

} // namespace penstock::frontend
