#include "compiler/frontend/check/settings.h"

#include "compiler/frontend/other_tools.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

namespace penstock::frontend {

using diagnostics::nearest;
using diagnostics::quotedList;

bool isSetting(const std::string &block, const std::string &name) {
  const std::vector<std::string> &known = settingsOf(block);
  return std::find(known.begin(), known.end(), name) != known.end();
}

const Setting *find(const BlockSettings &settings, const char *name) {
  const auto found = settings.find(name);
  return found == settings.end() ? nullptr : &found->second;
}

Settings::Settings(const Program &files, std::vector<Override> sets, Reporter &reports)
    : program(files), overrides(std::move(sets)), reporter(reports) {}

void Settings::resolve(std::string key, std::string value, Origin origin, const Span &span) {
  if (!forgets) {
    values.push_back({std::move(key), std::move(value), origin, span});
  }
}

void Settings::resolveParameters(const std::string &key, const Signature &signature, const Attributes &attributes, const Written &written) {
  for (std::size_t i = 0; i < signature.parameters.size() && !forgets; ++i) {
    const ParameterSpec &parameter = signature.parameters[i];
    if (const auto value = attributes.find(parameter.name); value != attributes.end()) {
      const auto [origin, span] = written(parameter.name);
      resolve(key + "." + parameter.name, formatAttribute(value->second, &parameter), origin, span);
      if (parameter.decides && !values.empty()) {
        values.back().decides = true;
      }
    }
  }
}

std::vector<ResolvedValue> Settings::takeResolved() {
  std::unordered_set<std::string_view> seen; // of two values of one key the first counts
  seen.reserve(values.size());
  std::vector<bool> first(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    first[i] = seen.insert(values[i].key).second;
  }
  std::vector<ResolvedValue> all;
  all.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (Resolved &one = values[i]; first[i]) {
      all.push_back({std::move(one.key), std::move(one.value), originName(one.origin), one.span.range(), one.decides});
    }
  }
  values.clear();
  return all;
}

const std::string &Settings::folderOf(Span span) const {
  for (const Override &one : overrides) {
    if (one.file.get() == span.file) {
      return one.folder;
    }
  }
  return program.main().folder;
}

Override *Settings::find(const std::string &name) {
  Override *found = nullptr;
  for (Override &one : overrides) {
    if (one.name == name) {
      one.used = true;
      found = &one; // the last one wins
    }
  }
  return found;
}

bool Settings::overridesBlock(const std::string &block) const {
  return std::any_of(overrides.begin(), overrides.end(),
                     [&](const Override &one) { return one.parts.size() > 1 && one.parts[0] == block; });
}

bool Settings::overridesBelow(const std::string &key) const {
  return std::any_of(overrides.begin(), overrides.end(), [&](const Override &one) {
    return one.name.size() > key.size() && one.name.starts_with(key) && one.name[key.size()] == '.';
  });
}

std::vector<Override *> Settings::ofCall(const std::string &key, const Signature &signature) {
  std::vector<Override *> found;
  constexpr std::size_t enough = 10000; // names that a mistake may be near to
  for (std::size_t i = 0; i < signature.parameters.size() && !overrides.empty() && settable.size() < enough; ++i) {
    settable.insert(key + "." + signature.parameters[i].name);
  }
  for (Override &one : overrides) {
    if (one.name.size() <= key.size() || one.name.compare(0, key.size(), key) != 0 || one.name[key.size()] != '.') {
      continue;
    }
    const std::string name = one.name.substr(key.size() + 1);
    if (std::any_of(signature.parameters.begin(), signature.parameters.end(),
                    [&](const auto &candidate) { return candidate.name == name; })) {
      one.used = true;
      found.push_back(&one);
    }
  }
  return found;
}

/// Whether the setting may be given as a text that is none of the language, such as a path.
static bool takesText(const std::string &block, const std::string &name) {
  const std::vector<SettingSpec> &rows = trainSettings();
  return block == "train" &&
         std::any_of(rows.begin(), rows.end(), [&](const SettingSpec &row) { return name == row.name && row.takesText; });
}

/// Whether a name is that of the call which stands there already: it chooses what is chosen, and the call keeps its arguments.
static bool names(const Expression &name, const Expression &standing) {
  const Expression &first = standing.kind == Expression::Kind::flow ? standing.children[0] : standing;
  const Expression &callee = calleeOf(first);
  return name.kind == Expression::Kind::name && (first.kind == Expression::Kind::call || standing.kind == Expression::Kind::flow) &&
         callee.kind == Expression::Kind::name && callee.text == name.text;
}

BlockSettings Settings::of(const std::string &name) {
  const Block *const block = program.block(name);
  static const std::vector<Entry> none;
  BlockSettings found = of(name, name, block == nullptr ? none : block->entries); // which points into them
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

BlockSettings Settings::of(const std::string &key, const std::string &kind, const std::vector<Entry> &entries) {
  BlockSettings found;
  const std::vector<std::string> &known = settingsOf(kind);
  std::set<std::string> given;
  for (const Entry &entry : entries) {
    if (entry.kind == Entry::Kind::setting) {
      given.insert(entry.name);
    }
  }
  for (const Entry &entry : entries) {
    if (entry.kind != Entry::Kind::setting) {
      continue;
    }
    if (!isSetting(kind, entry.name)) {
      std::vector<std::string> free; // what the block does not set yet
      std::copy_if(known.begin(), known.end(), std::back_inserter(free), [&](const std::string &one) { return given.count(one) == 0; });
      if (given.count("steps") > 0 || given.count("epochs") > 0) {
        free.erase(std::remove_if(free.begin(), free.end(), [](const std::string &one) { return one == "steps" || one == "epochs"; }),
                   free.end());
      }
      if (kind == "evaluate") {
        reporter.report("unknown-split", entry.nameSpan, {{"name", entry.name}, {"hint", hintForWord(kind, entry.name, free)}});
      } else {
        reporter.report(
            "unknown-setting", entry.nameSpan,
            {{"block", kind}, {"name", entry.name}, {"settings", quotedList(known)}, {"hint", hintForWord(kind, entry.name, free)}});
      }
      continue;
    }
    const auto [held, fresh] = found.emplace(entry.name, Setting{&entry.value, entry.nameSpan, Origin::file});
    if (!fresh) {
      reporter.report("duplicate-setting", entry.nameSpan, {{"name", entry.name}}, {{held->second.nameSpan.range(), "set here first"}});
    }
  }
  for (const std::string &setting : known) {
    const std::string name = key + "." + setting;
    if (key != kind) {
      settable.insert(name);
    }
    for (Override &one : overrides) {
      if (one.name == name) {
        one.used = true;
        if (!takesText(kind, setting)) {
          reporter.add(one.problems);
        }
        if (const auto held = found.find(setting); held == found.end() || !names(one.value, *held->second.value)) {
          const Expression *const standing = held == found.end() ? nullptr : held->second.value;
          const Expression *const written =
              held != found.end() && held->second.origin == Origin::commandLine ? held->second.written : standing;
          found[setting] = {&one.value, one.nameSpan(), Origin::commandLine, written};
        }
      }
    }
  }
  return found;
}

std::string Settings::settingOfObjective(const std::string &setting) const {
  const auto found = std::find_if(settable.begin(), settable.end(), [&](const std::string &name) {
    return name.starts_with("train.") && name.size() > setting.size() + 6 && name.ends_with("." + setting);
  });
  return found == settable.end() ? "" : *found;
}

void Settings::reportUnused() {
  std::vector<std::string> names;
  for (const Parameter &param : program.main().ast.params) {
    names.push_back(param.name);
  }
  for (const char *block : {"train", "target", "evaluate", "data", "deploy"}) {
    for (const std::string &setting : settingsOf(block)) {
      names.push_back(std::string(block) + "." + setting);
    }
  }
  names.insert(names.end(), settable.begin(), settable.end());
  for (const Override &one : overrides) {
    if (one.used) {
      continue;
    }
    // What the file is made of is shown and cannot be set; what it is already may be said again.
    if (const auto made = std::find_if(values.begin(), values.end(), [&](const Resolved &value) { return value.key == one.name; });
        made != values.end()) {
      if (made->value != one.text) {
        std::string near;
        for (const Resolved &value : values) {
          near = near.empty() && value.key.starts_with(one.name + ".") ? value.key : near;
        }
        reporter.report("set-structure", one.nameSpan(),
                        {{"name", one.name.substr(0, 80)}, {"value", made->value.substr(0, 80)}, {"nearest", near}});
      }
      continue;
    }
    if (one.parts.size() > 2) {
      const std::string setting = one.parts[0] + "." + one.parts[1];
      const bool isCall = std::any_of(values.begin(), values.end(), [&](const Resolved &resolved) {
        return resolved.key.compare(0, setting.size() + 1, setting + ".") == 0;
      });
      if (isSetting(one.parts[0], one.parts[1]) && !isCall) {
        const std::string name = one.name.substr(0, 80);
        if (const std::string moved = settingOfObjective(one.parts[1]); !moved.empty()) {
          reporter.report("set-unknown", one.nameSpan(),
                          {{"name", name}, {"nearest", moved + name.substr(std::min(name.size(), setting.size()))}});
        } else {
          reporter.report("set-without-call", one.nameSpan(), {{"name", name}, {"setting", setting}});
        }
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
    reporter.report("set-unknown", one.nameSpan(), {{"name", one.name.substr(0, 80)}, {"nearest", near}});
  }
}

} // namespace penstock::frontend
