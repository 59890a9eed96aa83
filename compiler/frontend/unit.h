// The files of one program: the file itself and what it imports, each read once.
#pragma once

#include "compiler/frontend/ast.h"
#include "runtime/base/status.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::frontend {

using TextLoader = std::function<Result<std::string>(const std::string &path)>;

/// One file, with what its names for layers and heads mean.
struct Unit {
  std::unique_ptr<SourceFile> file;
  std::string folder; // absolute: what its paths are relative to
  Ast ast;
  bool clean = true; // without syntax errors
  struct Named {
    const Definition *definition = nullptr;
    const Unit *unit = nullptr; // that declares it
    Span declared;
  };
  std::map<std::string, Named> definitions;
};

struct Program {
  std::vector<std::unique_ptr<Unit>> units; // the first is the file itself
  const Unit &main() const { return *units.front(); }
  /// The block of the main file, nullptr where it has none.
  const Block *block(std::string_view keyword) const;
  /// The text of another file that says how data are read, by its absolute path. It is read once, and one of the program's files from then
  /// on.
  Result<std::string> table(const std::string &path) const;

  TextLoader load;
  std::shared_ptr<std::map<std::string, std::string>> tables = std::make_shared<std::map<std::string, std::string>>();
};

/// Reads the file `path` with `text` and all its imports; reports syntax errors and mistakes of imports.
Program loadProgram(const std::string &path, std::string text, const TextLoader &load, diagnostics::DiagnosticList &diagnostics);

/// `path` below `folder`, without `.` and `..`; an absolute path stays.
std::string joinPath(const std::string &folder, const std::string &path);

} // namespace penstock::frontend
