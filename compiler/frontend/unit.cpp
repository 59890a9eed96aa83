#include "compiler/frontend/unit.h"

#include "runtime/base/file.h"
#include "runtime/base/utf8.h"

#include <algorithm>
#include <filesystem>

namespace penstock::frontend {

namespace fs = std::filesystem;

std::string joinPath(const std::string &folder, const std::string &path) {
  return (fs::path(folder) / fs::path(path)).lexically_normal().string();
}

const Block *Program::block(std::string_view keyword) const {
  const std::vector<Block> &blocks = main().ast.blocks;
  const auto found = std::find_if(blocks.begin(), blocks.end(), [&](const Block &block) { return block.keyword == keyword; });
  return found == blocks.end() ? nullptr : &*found;
}

Result<std::string> Program::table(const std::string &path) const {
  if (const auto known = tables->find(path); known != tables->end()) {
    return known->second;
  }
  PENSTOCK_ASSIGN(std::string text, load(path));
  if (text.size() > SourceFile::largest) {
    return invalidInput("`" + path + "` is too large for a table: it has more than " + std::to_string(SourceFile::largest >> 20) + " MiB");
  }
  if (!isUtf8(text)) {
    return invalidInput("`" + path + "` is not UTF-8");
  }
  return tables->emplace(path, std::move(text)).first->second;
}

namespace {

class Loader {
public:
  Loader(const TextLoader &text, diagnostics::DiagnosticList &list) : load(text), diagnostics(list) {}

  Program run(const std::string &path, std::string text) {
    open(path, absolutePath(path), std::move(text));
    program.load = load;
    return std::move(program);
  }

private:
  Unit *open(const std::string &shown, const std::string &key, std::string text) {
    auto made = std::make_unique<Unit>();
    Unit &unit = *made;
    program.units.push_back(std::move(made));
    byPath[key] = &unit;
    active.push_back(key);
    unit.folder = fs::path(key).parent_path().string();
    const bool tooLarge = text.size() > SourceFile::largest;
    unit.file = std::make_unique<SourceFile>(shown, tooLarge ? std::string() : std::move(text));
    const std::size_t before = diagnostics.errors();
    if (tooLarge) {
      diagnostics.report("file-too-large", unit.file->range(0, 0));
      unit.clean = false;
    } else {
      const SyntaxTree tree = parseFile(*unit.file, diagnostics);
      unit.ast = readTree(*unit.file, tree, diagnostics);
      unit.clean = diagnostics.errors() == before;
    }
    for (const Definition &definition : unit.ast.definitions) {
      declare(unit, definition.name, {&definition, &unit, definition.nameSpan}, definition.nameSpan);
    }
    if (active.size() <= 64) {
      for (const Import &import : unit.ast.imports) {
        follow(unit, import);
      }
    } else {
      diagnostics.report("nesting-too-deep", unit.file->range(0, 0), {{"limit", "64"}});
    }
    active.pop_back();
    return &unit;
  }

  void declare(Unit &unit, const std::string &name, Unit::Named named, Span span) {
    const auto [found, fresh] = unit.definitions.emplace(name, named);
    if (!fresh) {
      diagnostics.report("duplicate-name", span.range(), {{"name", name}}, {{found->second.declared.range(), "declared here"}});
    }
  }

  void follow(Unit &unit, const Import &import) {
    const std::string key = joinPath(unit.folder, import.path);
    if (std::find(active.begin(), active.end(), key) != active.end()) {
      diagnostics.report("import-cycle", import.pathSpan.range(), {{"path", import.path}});
      return;
    }
    Unit *target = nullptr;
    if (const auto known = byPath.find(key); known != byPath.end()) {
      target = known->second;
    } else if (!failed.count(key)) {
      auto text = load(key);
      if (!text.ok()) {
        const std::string said = text.status().message(), known = "could not read `" + key + "`: "; // the diagnostic says it itself
        failed[key] = said.rfind(known, 0) == 0 ? said.substr(known.size()) : said;
      } else {
        const fs::path shown = fs::path(unit.file->path()).parent_path() / import.path;
        target = open(shown.lexically_normal().string(), key, std::move(text).value());
      }
    }
    if (target == nullptr) {
      diagnostics.report("import-not-found", import.pathSpan.range(), {{"path", import.path}, {"detail", failed[key]}});
      for (const auto &[name, span] : import.names) {
        declare(unit, name, {nullptr, nullptr, span}, span);
      }
      return;
    }
    for (const auto &[name, span] : import.names) {
      const auto own = target->definitions.find(name);
      if (own == target->definitions.end() || own->second.unit != target) {
        std::vector<std::string> names;
        for (std::size_t i = 0; i < target->ast.definitions.size() && !diagnostics.full(); ++i) {
          if (unit.definitions.count(target->ast.definitions[i].name) == 0) {
            names.push_back(target->ast.definitions[i].name);
          }
        }
        diagnostics.report("import-unknown", span.range(),
                           {{"path", import.path}, {"name", name}, {"nearest", diagnostics::nearest(name, names)}});
        declare(unit, name, {nullptr, nullptr, span}, span);
        continue;
      }
      declare(unit, name, {own->second.definition, target, span}, span);
    }
  }

  const TextLoader &load;
  diagnostics::DiagnosticList &diagnostics;
  Program program;
  std::map<std::string, Unit *> byPath;
  std::map<std::string, std::string> failed;
  std::vector<std::string> active;
};

} // namespace

Program loadProgram(const std::string &path, std::string text, const TextLoader &load, diagnostics::DiagnosticList &diagnostics) {
  return Loader(load, diagnostics).run(path, std::move(text));
}

} // namespace penstock::frontend
