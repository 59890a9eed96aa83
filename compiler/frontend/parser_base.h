// The part of the parser that knows no grammar: the cursor over the tokens, the building of nodes, and recovery.
#pragma once

#include "compiler/frontend/syntax.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace penstock::frontend {

inline constexpr int deepest = 128; // a bracket counts twice: itself and the expression in it

inline constexpr std::array<std::string_view, 8> blockNames = {"data",     "features", "model",  "train",
                                                               "evaluate", "target",   "deploy", "tune"};

class ParserBase {
protected:
  ParserBase(const SourceFile &source, diagnostics::DiagnosticList &list) : file(source), diagnostics(list) {
    tree.tokens = tokenize(source, list);
  }

  // ---- tokens and nodes

  /// Index of the next token that is not a blank or comment; inside brackets newlines are blanks too.
  std::size_t peekIndex(std::size_t ahead = 0) const {
    std::size_t i = at;
    while (true) {
      const TokenKind k = tree.tokens[i].kind;
      const bool blank =
          k == TokenKind::whitespace || k == TokenKind::comment || k == TokenKind::invalid || (k == TokenKind::newline && brackets > 0);
      if (!blank) {
        if (ahead == 0 || k == TokenKind::end) {
          return i;
        }
        --ahead;
      }
      ++i;
    }
  }
  const Token &peek(std::size_t ahead = 0) const { return tree.tokens[peekIndex(ahead)]; }
  TokenKind kind(std::size_t ahead = 0) const { return peek(ahead).kind; }
  std::string_view text(const Token &token) const { return file.text().substr(token.begin, token.end - token.begin); }
  std::string_view peekText(std::size_t ahead = 0) const { return text(peek(ahead)); }
  bool isWord(std::string_view word, std::size_t ahead = 0) const {
    return kind(ahead) == TokenKind::identifier && peekText(ahead) == word;
  }

  /// The kind of the next token that is neither a blank nor a newline.
  TokenKind afterNewlines() const {
    std::size_t i = at;
    while (tree.tokens[i].kind == TokenKind::whitespace || tree.tokens[i].kind == TokenKind::comment ||
           tree.tokens[i].kind == TokenKind::invalid || tree.tokens[i].kind == TokenKind::newline) {
      ++i;
    }
    return tree.tokens[i].kind;
  }

  /// Whether a newline stands before the next token although brackets hide it.
  bool newlineBefore() const {
    for (std::size_t i = at; i < peekIndex(); ++i) {
      if (tree.tokens[i].kind == TokenKind::newline) {
        return true;
      }
    }
    return false;
  }

  void take(std::size_t i) { tree.nodes[stack.back()].children.push_back({true, static_cast<std::uint32_t>(i)}); }

  void blanks() {
    const std::size_t next = peekIndex();
    while (at < next) {
      take(at++);
    }
  }

  void bump() {
    blanks();
    if (tree.tokens[at].kind != TokenKind::end) {
      take(at++);
    }
  }

  void bumpRest() {
    while (at < tree.tokens.size() && tree.tokens[at].kind != TokenKind::end) {
      take(at++);
    }
  }

  void skipNewlines() {
    while (kind() == TokenKind::newline) {
      bump();
    }
  }

  void open(SyntaxKind node) {
    if (!stack.empty()) {
      blanks();
    }
    const auto index = static_cast<std::uint32_t>(tree.nodes.size());
    tree.nodes.push_back({node, {}});
    if (stack.empty()) {
      tree.root = index;
    } else {
      tree.nodes[stack.back()].children.push_back({false, index});
    }
    stack.push_back(index);
  }
  void close() { stack.pop_back(); }

  /// Where a node that is opened later (`wrap`) will begin.
  std::size_t mark() {
    blanks();
    return tree.nodes[stack.back()].children.size();
  }
  void wrap(std::size_t from, SyntaxKind node) {
    const auto index = static_cast<std::uint32_t>(tree.nodes.size());
    SyntaxNode made{node, {}};
    auto &siblings = tree.nodes[stack.back()].children;
    made.children.assign(siblings.begin() + static_cast<std::ptrdiff_t>(from), siblings.end());
    siblings.resize(from);
    siblings.push_back({false, index});
    tree.nodes.push_back(std::move(made));
    stack.push_back(index);
  }

  SourceRange rangeOf(const Token &token) const { return file.range(token.begin, token.end); }

  void expected(const std::string &what, const std::string &rule, const std::string &hint = "") {
    const Token &token = peek();
    if (token.begin == lastReported || reportedDepth) {
      return; // one report a place; after nesting-too-deep all is skipped
    }
    lastReported = token.begin;
    diagnostics.report("expected", rangeOf(token),
                       {{"expected", what}, {"found", describeToken(file, token)}, {"rule", rule}, {"hint", hint}});
  }

  bool accept(TokenKind wanted) {
    if (kind() != wanted) {
      return false;
    }
    bump();
    return true;
  }

  bool expectName(const std::string &what, const std::string &rule) {
    if (kind() == TokenKind::identifier) {
      bump();
      return true;
    }
    expected(what, rule);
    return false;
  }

  // ---- recovery

  static bool opens(TokenKind k) { return k == TokenKind::leftBrace || k == TokenKind::leftParen || k == TokenKind::leftBracket; }
  static bool closes(TokenKind k) { return k == TokenKind::rightBrace || k == TokenKind::rightParen || k == TokenKind::rightBracket; }

  /// Whether an item of the file begins here, judged by its shape: then the block before it was not closed.
  bool atItemStart() const {
    if (kind() != TokenKind::identifier) {
      return false;
    }
    const std::string_view word = peekText();
    if (std::find(blockNames.begin(), blockNames.end(), word) != blockNames.end()) {
      return kind(1) == TokenKind::leftBrace || (kind(1) == TokenKind::identifier && kind(2) == TokenKind::leftBrace);
    }
    if (word == "param") {
      return kind(1) == TokenKind::identifier && kind(2) == TokenKind::colon;
    }
    if (word == "layer" || word == "head") {
      return kind(1) == TokenKind::identifier && kind(2) == TokenKind::leftParen;
    }
    return (word == "pipeline" || word == "import" || word == "use") && kind(1) == TokenKind::identifier;
  }

  /// Puts tokens into an error node up to the end of the entry; brackets opened on the way are skipped whole.
  void skipEntry(bool inBody) {
    const int saved = brackets;
    brackets = 0;
    open(SyntaxKind::error);
    int depth = 0;
    while (true) {
      const TokenKind k = kind();
      if (k == TokenKind::end) {
        break;
      }
      if (depth == 0 && (k == TokenKind::newline || (inBody && (k == TokenKind::comma || k == TokenKind::rightBrace)))) {
        break;
      }
      if (k == TokenKind::newline && newlineThenItem()) {
        break;
      }
      depth += opens(k) ? 1 : closes(k) && depth > 0 ? -1 : 0;
      bump();
    }
    close();
    brackets = saved;
  }

  bool newlineThenItem() {
    const std::size_t saved = at;
    const int savedBrackets = brackets;
    at = peekIndex();
    brackets = 1;
    const bool found = atItemStart();
    brackets = savedBrackets;
    at = saved;
    return found;
  }

  void endOfEntry(bool inBody) {
    const TokenKind k = kind();
    if (std::exchange(leftOpen, false)) {
      return; // the item that begins here has been told of
    }
    if (k == TokenKind::newline || k == TokenKind::end || (inBody && (k == TokenKind::comma || k == TokenKind::rightBrace))) {
      return;
    }
    if (inBody) {
      expected("the end of the entry", "an entry ends at the end of its line, at `,` or at `}`", "write what follows on a line of its own");
    } else {
      expected("the end of the line", "a declaration ends with its line", "write what follows on a line of its own");
    }
    skipEntry(inBody);
  }

  const SourceFile &file;
  diagnostics::DiagnosticList &diagnostics;
  SyntaxTree tree;
  std::vector<std::uint32_t> stack;
  std::size_t at = 0;
  int brackets = 0, depth = 0;
  bool reportedDepth = false, leftOpen = false;
  std::uint32_t lastReported = 0xFFFFFFFF;
};

} // namespace penstock::frontend
