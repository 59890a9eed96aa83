// The lossless syntax tree: every token of the file, blanks and comments included, is in it exactly once and in order. The
// checker (through ast.h), the formatter and an editor read the same tree.
#pragma once

#include "compiler/frontend/lexer.h"

#include <memory>
#include <string>
#include <vector>

namespace penstock::frontend {

enum class SyntaxKind : std::uint8_t {
  file,
  edition,
  pipelineItem,
  paramItem,
  importItem,
  useItem,
  layerItem,
  headItem,
  block,         // keyword [name] body
  parameterList, // of a layer or head
  parameter,
  body, // { entries }
  settingEntry,
  bindingEntry,
  columnEntry,
  columnsEntry, // kept for later
  expectEntry,
  expressionEntry,
  number,
  quantity,
  string,
  name,
  paren,
  list,
  flow,
  range,
  sum,
  product,
  negate,
  postfix,
  callSuffix,
  indexSuffix,
  memberSuffix,
  argument,
  error
};

struct SyntaxElement {
  bool isToken = true;
  std::uint32_t index = 0; // into tokens or nodes
};

struct SyntaxNode {
  SyntaxKind kind = SyntaxKind::error;
  std::vector<SyntaxElement> children;
};

struct SyntaxTree {
  std::vector<Token> tokens;
  std::vector<SyntaxNode> nodes;
  std::uint32_t root = 0;

  /// Calls `visit(token index, node index of its parent)` for every token in order.
  template <typename Visit> void forEachToken(Visit visit) const {
    struct Frame {
      std::uint32_t node;
      std::size_t child;
    };
    std::vector<Frame> stack{{root, 0}};
    while (!stack.empty()) {
      Frame &top = stack.back();
      const SyntaxNode &node = nodes[top.node];
      if (top.child == node.children.size()) {
        stack.pop_back();
        continue;
      }
      const SyntaxElement element = node.children[top.child++];
      if (element.isToken) {
        visit(element.index, stack.back().node);
      } else {
        stack.push_back({element.index, 0});
      }
    }
  }
};

/// Parses a whole file. Always gives a tree that holds every token; mistakes are reported and lie in `error` nodes.
SyntaxTree parseFile(const SourceFile &file, diagnostics::DiagnosticList &diagnostics);

/// Parses one expression that fills the whole text: a value of `--set`.
SyntaxTree parseExpression(const SourceFile &file, diagnostics::DiagnosticList &diagnostics);

} // namespace penstock::frontend
