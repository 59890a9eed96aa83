#include "compiler/frontend/check/scope.h"

#include "compiler/frontend/other_tools.h"

#include <charconv>

namespace penstock::frontend {

using diagnostics::nearest;

Scopes::Scopes(const Program &files, const std::vector<PluginManifest> &known, Reporter &reports)
    : program(files), manifests(known), reporter(reports) {
  top.unit = &program.main();
}

std::string Place::next(const std::string &name) {
  std::string local;
  do {
    local = name + "_" + std::to_string(ordinals[name]++);
  } while (reserved != nullptr && reserved->count(local) > 0);
  return path.empty() ? local : path + "." + local;
}

bool Scopes::declare(Scope &scope, const std::string &name, const Span &span, Value value) {
  const auto bound = scope.instances.find(name);
  const auto [found, fresh] = scope.values.emplace(name, Scope::Declared{std::move(value), span});
  if (!fresh) {
    reporter.report("duplicate-name", span, {{"name", name}}, {{found->second.span.range(), "declared here"}});
    return false;
  }
  if (bound != scope.instances.end()) {
    reporter.report("duplicate-name", span, {{"name", name}}, {{bound->second.second.range(), "declared here"}});
    return false;
  }
  return true;
}

Callable Scopes::find(const std::string &name, const Scope &scope) const {
  Callable callable;
  callable.name = name;
  if (const auto bound = scope.instances.find(name); bound != scope.instances.end()) {
    callable.kind = Callable::Kind::instance;
    callable.instance = bound->second.first;
    return callable;
  }
  if (scope.unit != nullptr) {
    if (const auto found = scope.unit->definitions.find(name); found != scope.unit->definitions.end()) {
      callable.kind = Callable::Kind::definition;
      callable.definition = found->second.definition;
      callable.unit = found->second.unit;
      return callable;
    }
  }
  if (const BuiltinOp *op = findBuiltin(name)) {
    callable.kind = Callable::Kind::builtin;
    callable.op = op;
    return callable;
  }
  using Kind = Callable::Kind;
  static const std::map<std::string, Kind> own = {
      {"repeat", Kind::repeat}, {"width", Kind::width}, {"count", Kind::count}, {"l2", Kind::l2}};
  if (const auto found = own.find(name); found != own.end()) {
    callable.kind = found->second;
    return callable;
  }
  if (const FeatureOperator *row = findFeatureOperator(name)) {
    callable.kind = Kind::step;
    callable.row = row;
    return callable;
  }
  for (const PluginManifest &manifest : manifests) {
    if (manifest.name == name && standsInFlow(rowOf(manifest.kind).place)) {
      callable.kind = rowOf(manifest.kind).place == PluginPlace::text ? Kind::tokenizer : Kind::head;
      callable.manifest = &manifest;
      return callable;
    }
  }
  for (const PluginManifest &manifest : manifests) {
    if (manifest.name == name) {
      callable.kind = Kind::elsewhere;
      callable.manifest = &manifest;
      return callable;
    }
  }
  return callable;
}

std::string Scopes::headOf(const std::string &type) const {
  const auto head =
      std::find_if(manifests.begin(), manifests.end(), [&](const PluginManifest &one) { return one.standard && one.takes(type); });
  return head == manifests.end() ? "" : head->name;
}

std::vector<std::string> Scopes::callableNames(const Scope &scope, const Value *flow) const {
  std::vector<std::string> names;
  if (reporter.full()) {
    return names;
  }
  const Column *column = flow != nullptr && flow->kind == Value::Kind::column ? flow->column.get() : nullptr;
  const bool isDraft = flow != nullptr && flow->kind == Value::Kind::draft;
  const auto holds = [&](Flow one) { return (column != nullptr && column->holds == one) || (isDraft && flow->draft->flow == one); };
  const bool isList = flow != nullptr && flow->kind == Value::Kind::list;
  const bool text = isList || holds(Flow::text) || holds(Flow::words);
  const bool texts = flow == nullptr || text || flow->kind == Value::Kind::error, rows = flow == nullptr || !text;
  if (flow == nullptr) {
    names = {"width", "count", "l2"};
  }
  for (const FeatureOperator &row : featureOperators()) {
    if (row.takes == Flow::text ? texts : flow == nullptr || isList || holds(row.takes)) {
      names.push_back(row.name);
    }
  }
  if (rows) {
    names.push_back("repeat");
  }
  for (const auto &[name, instance] : scope.instances) {
    names.push_back(name);
  }
  if (scope.unit != nullptr) {
    for (const auto &[name, definition] : scope.unit->definitions) {
      names.push_back(name);
    }
  }
  for (const BuiltinOp &op : builtinOps()) {
    if (rows) {
      names.push_back(op.signature.name);
    }
  }
  for (const PluginManifest &manifest : manifests) {
    const PluginPlace place = rowOf(manifest.kind).place;
    if ((place == PluginPlace::text && texts) || (place == PluginPlace::model && rows)) {
      names.push_back(manifest.name);
    }
  }
  return names;
}

Callable Scopes::resolve(const Expression &callee, const Scope &scope, const Value *flow) {
  if (callee.kind != Expression::Kind::name) {
    if (callee.kind != Expression::Kind::error) {
      reporter.report("unknown-callable", callee.span, {{"name", excerpt(callee.span)}});
    }
    return {};
  }
  Callable callable = find(callee.text, scope);
  if (callable.kind == Callable::Kind::none) {
    if (const auto value = scope.values.find(callee.text); value != scope.values.end()) {
      if (value->second.value.kind != Value::Kind::error) { // which may have been meant to be an instance
        reporter.report("value-called", callee.span, {{"name", callee.text}});
      }
    } else {
      reporter.report("unknown-callable", callee.span,
                      {{"name", callee.text}, {"hint", hintForWord("call", callee.text, callableNames(scope, flow))}});
    }
  } else if (callable.kind == Callable::Kind::elsewhere) {
    reporter.report("wrong-plugin-kind", callee.span,
                    {{"name", callee.text},
                     {"kind", kindName(callable.manifest->kind)},
                     {"wanted", kindNames([](const PluginKindRow &row) { return standsInFlow(row.place); })},
                     {"rule", rowOf(callable.manifest->kind).elsewhere}});
    callable.kind = Callable::Kind::none;
  } else if (callable.kind == Callable::Kind::definition && callable.definition == nullptr) {
    callable.kind = Callable::Kind::none; // an import that failed
  }
  return callable;
}

void Scopes::checkShape() {
  const Unit &unit = program.main();
  for (const Block &block : unit.ast.blocks) {
    if (block.keyword == "tune") {
      reporter.report("not-in-edition", block.keywordSpan, {{"what", "the block `" + block.keyword + "`"}});
    }
  }
  if (!unit.clean) {
    return; // what is missing may only not have been understood
  }
  if (!unit.ast.pipeline.has_value()) {
    if (!unit.ast.blocks.empty()) {
      reporter.report("missing-pipeline", unit.ast.blocks.front().keywordSpan, {{"block", unit.ast.blocks.front().keyword}});
    }
    return;
  }
  for (const char *block : {"data", "model"}) {
    if (program.block(block) == nullptr) {
      reporter.report("missing-block", unit.ast.pipelineSpan, {{"block", block}});
    }
  }
}

void Scopes::checkUses() {
  const Scope nothing;
  for (const auto &unit : program.units) {
    for (const auto &[name, named] : unit->definitions) {
      const Callable::Kind kind = find(name, nothing).kind;
      if (kind != Callable::Kind::none && kind != Callable::Kind::elsewhere) {
        reporter.report("duplicate-name", named.declared, {{"name", name}});
      }
    }
    for (const Use &use : unit->ast.uses) {
      checkUse(*unit, use);
    }
  }
}

void Scopes::checkUse(const Unit &unit, const Use &use) {
  const PluginKindRow *const row = findKind(use.kind);
  if (row == nullptr) {
    std::vector<std::string> kinds;
    for (const PluginKindRow &one : pluginKinds) {
      kinds.push_back(one.name);
    }
    reporter.report("unknown-choice", use.kindSpan,
                    {{"value", use.kind},
                     {"what", "a kind of plugin"},
                     {"choices", diagnostics::quotedList(kinds)},
                     {"nearest", nearest(use.kind, kinds)}});
    return;
  }
  const std::string folder = joinPath(unit.folder, use.folder);
  const PluginManifest *found = nullptr;
  std::vector<std::string> names;
  for (const PluginManifest &manifest : manifests) {
    const bool below = manifest.folder == folder || manifest.folder.compare(0, folder.size() + 1, folder + "/") == 0 ||
                       (!folder.empty() && folder.back() == '/' && manifest.folder.compare(0, folder.size(), folder) == 0);
    if (manifest.kind == row->kind && below) {
      names.push_back(manifest.name);
      found = manifest.name == use.name ? &manifest : found;
    }
  }
  if (found == nullptr) {
    if (reporter.has("bad-manifest")) {
      return;
    }
    reporter.report("plugin-not-found", use.nameSpan,
                    {{"kind", use.kind}, {"name", use.name}, {"folder", use.folder}, {"nearest", nearest(use.name, names)}});
    return;
  }
  std::int64_t major = -1;
  std::from_chars(found->version.data(), found->version.data() + found->version.size(), major);
  if (major != use.version) {
    reporter.report(
        "plugin-version", use.versionSpan,
        {{"name", use.name}, {"version", found->version}, {"wanted", std::to_string(use.version)}, {"major", std::to_string(major)}});
  }
}

} // namespace penstock::frontend
