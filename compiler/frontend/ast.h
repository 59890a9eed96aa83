// What the checker reads: the syntax tree without blanks, as plain values with spans. Made for any tree; what the parser
// could not read is an `error` expression, which every later step passes over silently.
#pragma once

#include "compiler/frontend/syntax.h"

#include <optional>
#include <string>
#include <vector>

namespace penstock::frontend {

struct Argument;

struct Expression {
  enum class Kind {
    error,
    integer,
    floating,
    percent,  // number is the fraction: 10% is 0.1
    quantity, // number, with the unit in text
    string,
    name,
    list,
    range,   // two children
    sum,     // children with a sign each in text: "++-"; the first is '+'
    product, // "*" or "/" each; the first is '*'
    negate,
    flow,  // children: the value, then a name, call or member each
    call,  // children: callee
    index, // children: base
    member // children: base; text: the name
  };
  Kind kind = Kind::error;
  Span span;
  std::int64_t integer = 0;
  double number = 0;
  std::string text;
  Span nameSpan; // of the member's name, of the unit
  std::vector<Expression> children;
  std::vector<Argument> arguments; // of call and index
};

struct Argument {
  std::string name; // "" where positional
  Span nameSpan;
  Expression value;
};

/// What a call calls; of anything else itself, such as the bare name of what is called.
inline const Expression &calleeOf(const Expression &expression) {
  return expression.kind == Expression::Kind::call ? expression.children[0] : expression;
}
/// The arguments of a call; of anything else none.
const std::vector<Argument> &argumentsOf(const Expression &expression);

struct Entry {
  enum class Kind { setting, binding, column, columns, expect, expression, block };
  Kind kind = Kind::expression;
  std::string name; // of setting, binding, column; keyword of a nested block
  Span nameSpan, span;
  std::string label; // of a nested block: the name behind its keyword; ""
  Span labelSpan;
  std::vector<Entry> entries; // of a nested block
  Expression value;
  Expression bound;       // of expect; of columns: their type, `value` being their names
  std::string comparison; // of expect
};

struct Block {
  std::string keyword;
  Span keywordSpan, span;
  std::vector<Entry> entries;
};

struct Parameter {
  std::string name;
  Span nameSpan;
  std::optional<Expression> type, defaultValue;
};

/// A `layer` or `head` of the language.
struct Definition {
  bool isHead = false;
  std::string name;
  Span nameSpan;
  std::vector<Parameter> parameters;
  Block body;
};

struct Import {
  std::vector<std::pair<std::string, Span>> names;
  std::string path;
  Span pathSpan;
};

struct Use {
  std::string kind, name, folder;
  std::int64_t version = 0;
  Span kindSpan, nameSpan, versionSpan, folderSpan, span;
};

struct Ast {
  std::optional<std::string> pipeline;
  Span pipelineSpan;
  std::string title;
  std::vector<Parameter> params;
  std::vector<Import> imports;
  std::vector<Use> uses;
  std::vector<Definition> definitions;
  std::vector<Block> blocks;
};

/// Reads the tree of a file; reports numbers that do not fit and repeated blocks.
Ast readTree(const SourceFile &file, const SyntaxTree &tree, diagnostics::DiagnosticList &diagnostics);

/// Reads the tree of one expression (parseExpression).
Expression readExpression(const SourceFile &file, const SyntaxTree &tree, diagnostics::DiagnosticList &diagnostics);

} // namespace penstock::frontend
