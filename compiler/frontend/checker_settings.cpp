// Params, settings of blocks and `--set`.
#include "compiler/frontend/checker.h"
#include "compiler/frontend/other_tools.h"

#include <algorithm>

namespace penstock::frontend {

using diagnostics::nearest;
using diagnostics::quotedList;
using Type = PluginParameter::Type;

const Block *Checker::blockOf(const std::string &keyword) const {
  for (const Block &block : program.main().ast.blocks) {
    if (block.keyword == keyword) {
      return &block;
    }
  }
  return nullptr;
}

void Checker::resolve(const std::string &key, const std::string &value, Origin origin, const Span &span) {
  if (scratch) {
    return;
  }
  ResolvedValue resolved;
  resolved.key = key;
  resolved.value = value;
  resolved.origin = originName(origin);
  if (span.file != nullptr) {
    resolved.range = span.range();
  }
  if (resolvedKeys.insert(key).second) {
    pipeline.resolved.push_back(std::move(resolved));
  }
}

const std::string &Checker::folderOf(Span span) const {
  for (const Override &one : overrides) {
    if (one.file.get() == span.file) {
      return one.folder;
    }
  }
  return program.main().folder;
}

Override *Checker::findOverride(const std::string &name) {
  Override *found = nullptr;
  for (Override &one : overrides) {
    if (one.name == name) {
      one.used = true;
      found = &one; // the last one wins
    }
  }
  return found;
}

namespace {

/// The type that a param is declared with. `one_of(a, b)` is an enumeration.
std::optional<ParameterSpec> readType(const Parameter &param, bool allowEnumeration, std::string *unknown) {
  ParameterSpec spec;
  spec.name = param.name;
  const Expression &type = *param.type;
  const std::string name = type.kind == Expression::Kind::name                                                      ? type.text
                           : type.kind == Expression::Kind::call && type.children[0].kind == Expression::Kind::name ? type.children[0].text
                                                                                                                    : "";
  if (type.kind == Expression::Kind::name) {
    static const std::map<std::string, Type> types = {
        {"path", Type::path}, {"string", Type::string}, {"int", Type::integer}, {"float", Type::number}, {"bool", Type::boolean}};
    if (const auto found = types.find(name); found != types.end()) {
      spec.type = found->second;
      return spec;
    }
  } else if (allowEnumeration && name == "one_of") {
    spec.type = Type::enumeration;
    for (const Argument &argument : type.arguments) {
      if (argument.value.kind == Expression::Kind::name) {
        spec.members.push_back(argument.value.text);
      }
    }
    if (!spec.members.empty()) {
      return spec;
    }
  }
  *unknown = name.empty() ? std::string(type.span.text().substr(0, 40)) : name;
  return std::nullopt;
}

} // namespace

void Checker::readParams() {
  for (const Parameter &param : program.main().ast.params) {
    Value value;
    if (!param.type.has_value() || param.type->kind == Expression::Kind::error) {
      findOverride(param.name);
      declareValue(top, param.name, param.nameSpan, value);
      continue;
    }
    std::string unknown;
    const auto spec = readType(param, true, &unknown);
    if (!spec) {
      report("unknown-type", param.type->span,
             {{"name", unknown},
              {"rule", "a param is `path`, `string`, `int`, `float`, `bool` or `one_of(a, b)`"},
              {"nearest", param.type->kind == Expression::Kind::call ? nearest(unknown, {"one_of"})
                                                                     : nearest(unknown, {"path", "string", "int", "float", "bool"})}});
      findOverride(param.name);
    } else {
      value = paramValue(param, *spec);
    }
    declareValue(top, param.name, param.nameSpan, std::move(value));
  }
}

Value Checker::paramValue(const Parameter &param, const ParameterSpec &spec) {
  Value value;
  std::optional<Attribute> attribute;
  Origin origin = Origin::file;
  Span span;
  Scope empty;
  empty.unit = &program.main();
  Place place;
  if (Override *set = findOverride(param.name)) {
    origin = Origin::commandLine;
    span = set->valueSpan();
    // Strings need no quotes: the text is the value, unless it is quoted.
    if (spec.type == Type::string || spec.type == Type::path) {
      std::string text = set->text;
      if (set->problems.empty() && set->value.kind == Expression::Kind::string) {
        text = set->value.text;
      }
      if (spec.type == Type::path) {
        text = joinPath(set->folder, text);
      }
      attribute = text;
    } else if (set->problems.empty()) {
      attribute = evaluateParameter(set->value, spec, "", empty, place, &origin);
    } else {
      report("wrong-type", span,
             {{"name", param.name}, {"expected", describeParameterType(spec)}, {"found", "`" + set->text.substr(0, 40) + "`"}});
    }
  } else if (param.defaultValue.has_value()) {
    span = param.defaultValue->span;
    attribute = evaluateParameter(*param.defaultValue, spec, "", empty, place, &origin);
  } else {
    report("param-without-value", param.nameSpan, {{"name", param.name}});
  }
  if (!attribute) {
    return value;
  }
  resolve(param.name, formatAttribute(*attribute, &spec), origin, span);
  value.origin = origin == Origin::commandLine || origin == Origin::search ? origin : Origin::file;
  switch (spec.type) {
  case Type::boolean:
    value.kind = Value::Kind::boolean;
    value.flag = std::get<bool>(*attribute);
    break;
  case Type::integer:
    value.kind = Value::Kind::integer;
    value.integer = std::get<std::int64_t>(*attribute);
    break;
  case Type::number:
    value.kind = Value::Kind::floating;
    value.number = std::get<double>(*attribute);
    break;
  default:
    value.kind = spec.type == Type::path ? Value::Kind::path : spec.type == Type::enumeration ? Value::Kind::word : Value::Kind::string;
    value.text = std::get<std::string>(*attribute);
    break;
  }
  return value;
}

std::map<std::string, Setting> Checker::settings(const std::string &name, const Block *block) {
  std::map<std::string, Setting> found;
  const std::vector<std::string> &known = settingsOf(name);
  std::set<std::string> given;
  for (std::size_t i = 0; block != nullptr && i < block->entries.size(); ++i) {
    if (block->entries[i].kind == Entry::Kind::setting) {
      given.insert(block->entries[i].name);
    }
  }
  if (block != nullptr) {
    for (const Entry &entry : block->entries) {
      if (entry.kind != Entry::Kind::setting) {
        continue;
      }
      if (std::find(known.begin(), known.end(), entry.name) == known.end()) {
        std::vector<std::string> free; // what the block does not set yet
        std::copy_if(known.begin(), known.end(), std::back_inserter(free), [&](const std::string &one) { return given.count(one) == 0; });
        if (given.count("steps") > 0 || given.count("epochs") > 0) {
          free.erase(std::remove_if(free.begin(), free.end(), [](const std::string &one) { return one == "steps" || one == "epochs"; }),
                     free.end());
        }
        if (name == "evaluate") {
          report("unknown-split", entry.nameSpan, {{"name", entry.name}, {"hint", hintForWord(name, entry.name, free)}});
        } else {
          report("unknown-setting", entry.nameSpan,
                 {{"block", name}, {"name", entry.name}, {"settings", quotedList(known)}, {"hint", hintForWord(name, entry.name, free)}});
        }
        continue;
      }
      const auto [held, fresh] = found.emplace(entry.name, Setting{&entry.value, entry.nameSpan, Origin::file});
      if (!fresh) {
        report("duplicate-setting", entry.nameSpan, {{"name", entry.name}}, {{held->second.nameSpan.range(), "set here first"}});
      }
    }
  }
  for (Override &one : overrides) {
    if (one.parts.size() == 2 && one.parts[0] == name && std::find(known.begin(), known.end(), one.parts[1]) != known.end()) {
      one.used = true;
      for (const diagnostics::Diagnostic &problem : one.problems) {
        diagnostics.add(problem);
      }
      found[one.parts[1]] = {&one.value, one.nameSpan(), Origin::commandLine};
    }
  }
  if (name == "train") {
    // `--set train.steps` replaces `epochs`, and the other way around; the later of two wins.
    const Override *last = nullptr;
    for (const Override &one : overrides) {
      if (one.parts.size() == 2 && one.parts[0] == "train" && (one.parts[1] == "steps" || one.parts[1] == "epochs")) {
        last = &one;
      }
    }
    if (last != nullptr) {
      found.erase(last->parts[1] == "steps" ? "epochs" : "steps");
    }
  }
  return found;
}

void Checker::reportUnusedOverrides() {
  std::vector<std::string> names;
  for (const Parameter &param : program.main().ast.params) {
    names.push_back(param.name);
  }
  for (const char *block : {"train", "target", "evaluate", "data"}) {
    for (const std::string &setting : settingsOf(block)) {
      names.push_back(std::string(block) + "." + setting);
    }
  }
  names.insert(names.end(), settable.begin(), settable.end());
  for (const Override &one : overrides) {
    if (one.used) {
      continue;
    }
    if (one.parts.size() > 2) {
      const std::vector<std::string> &known = settingsOf(one.parts[0]);
      const std::string setting = one.parts[0] + "." + one.parts[1];
      const bool isSetting = std::find(known.begin(), known.end(), one.parts[1]) != known.end();
      const bool isCall = std::any_of(pipeline.resolved.begin(), pipeline.resolved.end(), [&](const ResolvedValue &resolved) {
        return resolved.key.compare(0, setting.size() + 1, setting + ".") == 0;
      });
      if (isSetting && !isCall) {
        report("set-without-call", one.nameSpan(), {{"name", one.name.substr(0, 80)}, {"setting", setting}});
        continue;
      }
    }
    // A last name alone, or with its block, says enough where only one setting has it.
    std::string near;
    for (const std::string &name : names) {
      const std::string &first = one.parts.front(), &last = one.parts.back();
      const bool ends = name.size() > last.size() + 1 && name.compare(name.size() - last.size() - 1, std::string::npos, "." + last) == 0;
      if (ends && one.parts.size() < 3 && (one.parts.size() == 1 || name.compare(0, first.size() + 1, first + ".") == 0)) {
        near = near.empty() || near.size() > name.size() ? name : near;
      }
    }
    near = near.empty() ? nearest(one.name, names) : near;
    report("set-unknown", one.nameSpan(), {{"name", one.name.substr(0, 80)}, {"nearest", near}});
  }
}

std::optional<Attribute> Checker::simpleSetting(const std::map<std::string, Setting> &settings, const std::string &block,
                                                const ParameterSpec &spec, bool *given) {
  const auto found = settings.find(spec.name);
  if (given != nullptr) {
    *given = found != settings.end();
  }
  const std::string key = block + "." + spec.name;
  if (found == settings.end()) {
    if (spec.required) {
      return std::nullopt;
    }
    const Attribute value = std::visit([](const auto &held) { return Attribute(held); }, spec.defaultValue);
    resolve(key, formatAttribute(value, &spec), Origin::standard);
    return value;
  }
  Place place;
  Origin origin = found->second.origin;
  const auto value = evaluateParameter(*found->second.value, spec, block, top, place, &origin);
  if (value) {
    resolve(key, formatAttribute(*value, &spec), origin, found->second.value->span);
  }
  return value;
}

Checker::Choice Checker::chooseCall(const Expression &expression, const std::vector<Signature> &choices, const std::string &what,
                                    const std::string &key, Scope &scope, Origin origin) {
  Choice choice;
  choice.span = expression.span;
  const Expression *callee = &expression;
  std::vector<Argument> none;
  const std::vector<Argument> *arguments = &none;
  if (expression.kind == Expression::Kind::call) {
    callee = &expression.children[0];
    arguments = &expression.arguments;
  }
  if (expression.kind == Expression::Kind::error) {
    return choice;
  }
  for (const Signature &signature : choices) {
    if (callee->kind == Expression::Kind::name && callee->text == signature.name) {
      choice.signature = &signature;
    }
  }
  if (choice.signature == nullptr) {
    std::vector<std::string> names;
    for (const Signature &signature : choices) {
      names.push_back(signature.name);
    }
    const std::string shown = callee->kind == Expression::Kind::name ? callee->text : std::string(callee->span.text().substr(0, 40));
    report("unknown-choice", callee->span,
           {{"value", shown}, {"what", what}, {"choices", quotedList(names)}, {"nearest", nearest(shown, names)}});
    return choice;
  }
  choice.name = choice.signature->name;
  Place place;
  const BoundCall bound = bindCall(*choice.signature, expression.span, *arguments, std::nullopt, {}, scope, place, key);
  choice.good = bound.good && (key.compare(0, 5, "data.") != 0 || checkKnown(bound.attributes, choice.name, bound.spans, expression.span));
  choice.attributes = bound.attributes;
  resolve(key, choice.name, origin, expression.span);
  for (const ParameterSpec &parameter : choice.signature->parameters) {
    const auto value = bound.attributes.find(parameter.name);
    if (value != bound.attributes.end()) {
      const auto from = bound.origins.find(parameter.name);
      Origin one = from == bound.origins.end() ? Origin::standard : from->second;
      if (one == Origin::file && origin == Origin::commandLine) {
        one = Origin::commandLine;
      }
      const auto at = bound.spans.find(parameter.name);
      resolve(key + "." + parameter.name, formatAttribute(value->second, &parameter), one, at == bound.spans.end() ? Span{} : at->second);
    }
  }
  return choice;
}

} // namespace penstock::frontend
