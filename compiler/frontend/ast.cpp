#include "compiler/frontend/ast.h"

#include "runtime/base/quantities.h"
#include "runtime/base/utf8.h"

#include <algorithm>
#include <charconv>
#include <set>

namespace penstock::frontend {

namespace {

/// Valid UTF-8 without control characters.
bool isText(std::string_view token) {
  for (std::size_t i = 0; i < token.size();) {
    const std::size_t length = decodeUtf8(token, i).bytes;
    const auto first = static_cast<unsigned char>(token[i]);
    if (length == 0 || (first < 0x20 && first != '\t' && first != '\r')) {
      return false;
    }
    i += length;
  }
  return true;
}

class Reader {
public:
  Reader(const SourceFile &source, const SyntaxTree &syntax, diagnostics::DiagnosticList &list)
      : file(source), tree(syntax), diagnostics(list) {}

  Ast readFile() {
    Ast ast;
    for (const SyntaxElement element : tree.nodes[tree.root].children) {
      if (!element.isToken) {
        item(ast, element.index);
      }
    }
    std::set<std::string> seen;
    for (const Block &block : ast.blocks) {
      if (!seen.insert(block.keyword).second) {
        diagnostics.report("duplicate-block", block.keywordSpan.range(), {{"block", block.keyword}});
      }
    }
    return ast;
  }

  Expression readRoot() {
    const auto inner = nodesOf(tree.root);
    return inner.empty() ? Expression{} : expression(inner.front());
  }

private:
  static bool significant(TokenKind kind) {
    return kind != TokenKind::whitespace && kind != TokenKind::newline && kind != TokenKind::comment && kind != TokenKind::invalid;
  }

  Span tokenSpan(std::uint32_t index) const { return {&file, tree.tokens[index].begin, tree.tokens[index].end}; }

  std::vector<std::uint32_t> tokensOf(std::uint32_t node) const {
    std::vector<std::uint32_t> out;
    for (const SyntaxElement element : tree.nodes[node].children) {
      if (element.isToken && significant(tree.tokens[element.index].kind)) {
        out.push_back(element.index);
      }
    }
    return out;
  }
  std::vector<std::uint32_t> nodesOf(std::uint32_t node) const {
    std::vector<std::uint32_t> out;
    for (const SyntaxElement element : tree.nodes[node].children) {
      if (!element.isToken) {
        out.push_back(element.index);
      }
    }
    return out;
  }
  std::string tokenText(std::uint32_t index) const { return std::string(tokenSpan(index).text()); }

  /// From the first to the last significant token of the node.
  Span spanOf(std::uint32_t node) const {
    Span span{&file, 0, 0};
    if (const std::int64_t first = edge(node, true); first >= 0) {
      span.begin = tree.tokens[static_cast<std::size_t>(first)].begin;
      span.end = tree.tokens[static_cast<std::size_t>(edge(node, false))].end;
    }
    return span;
  }
  std::int64_t edge(std::uint32_t node, bool first) const {
    const auto &children = tree.nodes[node].children;
    for (std::size_t i = 0; i < children.size(); ++i) {
      const SyntaxElement element = children[first ? i : children.size() - 1 - i];
      if (element.isToken) {
        if (significant(tree.tokens[element.index].kind)) {
          return element.index;
        }
      } else if (const std::int64_t found = edge(element.index, first); found >= 0) {
        return found;
      }
    }
    return -1;
  }

  SyntaxKind kindOf(std::uint32_t node) const { return tree.nodes[node].kind; }

  void item(Ast &ast, std::uint32_t node) {
    const auto tokens = tokensOf(node);
    switch (kindOf(node)) {
    case SyntaxKind::pipelineItem:
      if (ast.pipeline.has_value()) {
        diagnostics.report("duplicate-block", spanOf(node).range(), {{"block", "pipeline"}});
      } else {
        ast.pipeline = tokens.size() > 1 ? tokenText(tokens[1]) : "";
        ast.pipelineSpan = spanOf(node);
        if (tokens.size() > 2) {
          ast.title = unescape(tokenSpan(tokens[2]).text());
        }
      }
      break;
    case SyntaxKind::paramItem:
      if (tokens.size() > 1) {
        ast.params.push_back(parameter(node, 1));
      }
      break;
    case SyntaxKind::importItem: {
      Import import;
      for (std::size_t i = 1; i < tokens.size(); ++i) {
        const TokenKind kind = tree.tokens[tokens[i]].kind;
        if (kind == TokenKind::string) {
          import.path = unescape(tokenSpan(tokens[i]).text());
          import.pathSpan = tokenSpan(tokens[i]);
          ast.imports.push_back(std::move(import));
          break;
        }
        if (kind == TokenKind::identifier &&
            !(tokenText(tokens[i]) == "from" && i > 1 && tree.tokens[tokens[i - 1]].kind == TokenKind::identifier)) {
          import.names.emplace_back(tokenText(tokens[i]), tokenSpan(tokens[i]));
        }
      }
      break;
    }
    case SyntaxKind::useItem:
      if (tokens.size() >= 7) {
        Use use;
        use.span = spanOf(node);
        use.kind = tokenText(tokens[1]);
        use.kindSpan = tokenSpan(tokens[1]);
        use.name = tokenText(tokens[2]);
        use.nameSpan = tokenSpan(tokens[2]);
        use.versionSpan = tokenSpan(tokens[4]);
        use.version = integer(use.versionSpan).value_or(0);
        use.folder = unescape(tokenSpan(tokens[6]).text());
        use.folderSpan = tokenSpan(tokens[6]);
        ast.uses.push_back(std::move(use));
      }
      break;
    case SyntaxKind::layerItem:
    case SyntaxKind::headItem:
      if (tokens.size() > 1 && tree.tokens[tokens[1]].kind == TokenKind::identifier) {
        ast.definitions.push_back(definition(node));
      }
      break;
    case SyntaxKind::block:
      ast.blocks.push_back(block(node));
      break;
    default:
      break;
    }
  }

  /// NAME [: type] [= default]; the colon and the equals sign say which node is which.
  Parameter parameter(std::uint32_t node, std::size_t nameToken) {
    Parameter out;
    std::size_t seen = 0;
    bool equals = false;
    for (const SyntaxElement element : tree.nodes[node].children) {
      if (element.isToken) {
        const TokenKind kind = tree.tokens[element.index].kind;
        if (!significant(kind)) {
          continue;
        }
        if (seen++ == nameToken) {
          out.name = tokenText(element.index);
          out.nameSpan = tokenSpan(element.index);
        }
        equals = equals || kind == TokenKind::equals;
      } else {
        (equals ? out.defaultValue : out.type) = expression(element.index);
      }
    }
    return out;
  }

  Definition definition(std::uint32_t node) {
    Definition out;
    out.isHead = kindOf(node) == SyntaxKind::headItem;
    const auto tokens = tokensOf(node);
    out.name = tokenText(tokens[1]);
    out.nameSpan = tokenSpan(tokens[1]);
    for (const std::uint32_t child : nodesOf(node)) {
      if (kindOf(child) == SyntaxKind::parameterList) {
        for (const std::uint32_t one : nodesOf(child)) {
          if (kindOf(one) == SyntaxKind::parameter) {
            out.parameters.push_back(parameter(one, 0));
          }
        }
      } else if (kindOf(child) == SyntaxKind::body) {
        out.body.keyword = out.isHead ? "head" : "layer";
        out.body.keywordSpan = tokenSpan(tokens[0]);
        out.body.span = spanOf(node);
        body(out.body, child);
      }
    }
    return out;
  }

  Block block(std::uint32_t node) {
    Block out;
    const auto tokens = tokensOf(node);
    out.keyword = tokenText(tokens[0]);
    out.keywordSpan = tokenSpan(tokens[0]);
    out.span = spanOf(node);
    for (const std::uint32_t child : nodesOf(node)) {
      if (kindOf(child) == SyntaxKind::body) {
        body(out, child);
      }
    }
    return out;
  }

  void body(Block &out, std::uint32_t node) {
    for (const std::uint32_t child : nodesOf(node)) {
      entry(out, child);
    }
  }

  void entry(Block &out, std::uint32_t node) {
    Entry made;
    made.span = spanOf(node);
    const auto tokens = tokensOf(node);
    const auto inner = nodesOf(node);
    const auto named = [&](std::size_t token) {
      if (token < tokens.size()) {
        made.name = tokenText(tokens[token]);
        made.nameSpan = tokenSpan(tokens[token]);
      }
    };
    switch (kindOf(node)) {
    case SyntaxKind::settingEntry:
      made.kind = Entry::Kind::setting;
      named(0);
      break;
    case SyntaxKind::bindingEntry:
      made.kind = Entry::Kind::binding;
      named(0);
      break;
    case SyntaxKind::columnEntry:
      made.kind = Entry::Kind::column;
      named(1);
      break;
    case SyntaxKind::columnsEntry:
      made.kind = Entry::Kind::columns;
      named(0);
      if (inner.size() > 1) {
        made.bound = expression(inner[1]);
      }
      break;
    case SyntaxKind::expectEntry:
      made.kind = Entry::Kind::expect;
      named(0);
      if (tokens.size() > 1) {
        made.comparison = tokenText(tokens[1]);
      }
      if (inner.size() > 1) {
        made.bound = expression(inner[1]);
      }
      break;
    case SyntaxKind::expressionEntry:
      made.kind = Entry::Kind::expression;
      break;
    case SyntaxKind::block:
      made.kind = Entry::Kind::block;
      named(0);
      if (tokens.size() > 1 && tree.tokens[tokens[1]].kind == TokenKind::identifier) {
        made.label = tokenText(tokens[1]);
        made.labelSpan = tokenSpan(tokens[1]);
      }
      made.entries = block(node).entries;
      out.entries.push_back(std::move(made));
      return;
    default:
      return;
    }
    if (!inner.empty()) {
      made.value = expression(inner[0]);
    }
    out.entries.push_back(std::move(made));
  }

  std::string digits(Span span) const {
    std::string text(span.text());
    text.erase(std::remove_if(text.begin(), text.end(), [](char c) { return c == '_' || c == '%'; }), text.end());
    return text;
  }

  std::optional<std::int64_t> integer(Span span) {
    const std::string text = digits(span);
    std::int64_t value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec == std::errc::result_out_of_range) {
      diagnostics.report("number-out-of-range", span.range(), {{"text", text.substr(0, 40)}, {"kind", "an integer"}});
      return std::nullopt;
    }
    if (result.ec != std::errc() || result.ptr != text.data() + text.size()) {
      return std::nullopt; // malformed, reported by the lexer
    }
    return value;
  }

  /// A percentage is the number with its point two places on, not a quotient that is rounded a second time.
  static void makeShare(std::string &text) {
    const std::size_t e = text.find_first_of("eE");
    std::int64_t exponent = 0;
    if (e != std::string::npos) {
      const std::size_t sign = text[e + 1] == '+' ? 2 : 1;
      if (std::from_chars(text.data() + e + sign, text.data() + text.size(), exponent).ec != std::errc()) {
        return; // so large or small that two places do not matter
      }
      text.resize(e);
    }
    text += "e" + std::to_string(exponent - 2);
  }

  /// Whether a number that no double holds is too large, not too small: where its first digit stands says so.
  static bool isHuge(const std::string &text) {
    const std::size_t e = std::min(text.find_first_of("eE"), text.size());
    const std::size_t point = std::min(text.find('.'), e), digit = text.find_first_of("123456789");
    if (digit >= e) {
      return false;
    }
    return e == text.size() ? digit < point : text[e + 1] != '-' || (digit < point && point - digit > 300);
  }

  std::optional<double> floating(Span span, bool share) {
    std::string text = digits(span);
    if (share) {
      makeShare(text);
    }
    double value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    // A number too small for a double is zero to within its precision; only one too large is a mistake.
    if (result.ec == std::errc::result_out_of_range) {
      if (!isHuge(text)) {
        return 0.0;
      }
      diagnostics.report("number-out-of-range", span.range(), {{"text", digits(span).substr(0, 40)}, {"kind", "a number"}});
      return std::nullopt;
    }
    if (result.ec != std::errc() || result.ptr != text.data() + text.size()) {
      return std::nullopt;
    }
    return value;
  }

  void number(Expression &out, std::uint32_t token) {
    const Span span = tokenSpan(token);
    const TokenKind kind = tree.tokens[token].kind;
    if (kind == TokenKind::integer) {
      if (const auto value = integer(span)) {
        out.kind = Expression::Kind::integer;
        out.integer = *value;
        out.number = static_cast<double>(*value);
      }
    } else if (const auto value = floating(span, kind == TokenKind::percent)) {
      out.kind = kind == TokenKind::percent ? Expression::Kind::percent : Expression::Kind::floating;
      out.number = *value;
    }
  }

  std::vector<Argument> argumentsOf(std::uint32_t suffix) {
    std::vector<Argument> out;
    for (const std::uint32_t child : nodesOf(suffix)) {
      if (kindOf(child) != SyntaxKind::argument) {
        continue;
      }
      Argument argument;
      const auto tokens = tokensOf(child);
      if (tokens.size() >= 2) {
        argument.name = tokenText(tokens[0]);
        argument.nameSpan = tokenSpan(tokens[0]);
      }
      const auto inner = nodesOf(child);
      if (!inner.empty()) {
        argument.value = expression(inner[0]);
      }
      if (argument.value.span.file == nullptr) {
        argument.value.span = spanOf(child);
      }
      out.push_back(std::move(argument));
    }
    return out;
  }

  Expression expression(std::uint32_t node) {
    Expression out;
    out.span = spanOf(node);
    const auto tokens = tokensOf(node);
    const auto inner = nodesOf(node);
    const auto children = [&] {
      for (const std::uint32_t child : inner) {
        if (kindOf(child) != SyntaxKind::error) {
          out.children.push_back(expression(child));
        }
      }
    };
    switch (kindOf(node)) {
    case SyntaxKind::number:
      number(out, tokens[0]);
      break;
    case SyntaxKind::quantity:
      number(out, tokens[0]);
      if (out.kind != Expression::Kind::error && tokens.size() > 1) {
        out.kind = Expression::Kind::quantity;
        out.text = tokenText(tokens[1]);
        out.nameSpan = tokenSpan(tokens[1]);
        if (findRow(units, out.text) == nullptr) {
          out.kind = Expression::Kind::error;
        }
      }
      break;
    case SyntaxKind::string:
      out.text = unescape(tokenSpan(tokens[0]).text());
      // What the lexer has refused does not reach paths and data.
      out.kind = isText(tokenSpan(tokens[0]).text()) ? Expression::Kind::string : Expression::Kind::error;
      break;
    case SyntaxKind::name:
      out.kind = Expression::Kind::name;
      out.text = tokenText(tokens[0]);
      break;
    case SyntaxKind::paren: {
      children();
      if (out.children.empty()) {
        break;
      }
      Expression held = std::move(out.children[0]); // brackets leave no trace
      return held;
    }
    case SyntaxKind::list:
      out.kind = Expression::Kind::list;
      children();
      break;
    case SyntaxKind::flow:
      children();
      out.kind = out.children.size() >= 2 ? Expression::Kind::flow : Expression::Kind::error;
      break;
    case SyntaxKind::range:
      children();
      out.kind = out.children.size() == 2 ? Expression::Kind::range : Expression::Kind::error;
      break;
    case SyntaxKind::negate:
      children();
      if (!out.children.empty()) {
        if (tokens.size() % 2 == 0) {
          Expression held = std::move(out.children[0]);
          return held;
        }
        out.kind = Expression::Kind::negate;
      }
      break;
    case SyntaxKind::sum:
    case SyntaxKind::product:
      children();
      if (out.children.size() == tokens.size() + 1) {
        out.kind = kindOf(node) == SyntaxKind::sum ? Expression::Kind::sum : Expression::Kind::product;
        out.text = out.kind == Expression::Kind::sum ? "+" : "*";
        for (const std::uint32_t token : tokens) {
          out.text += tokenText(token);
        }
      }
      break;
    case SyntaxKind::postfix:
      return postfix(inner);
    default:
      break;
    }
    return out;
  }

  Expression postfix(const std::vector<std::uint32_t> &inner) {
    Expression base = expression(inner[0]);
    // `a.b.c(...)` nests to the left; a chain long enough to matter for the stack is refused by depth.
    std::size_t suffixes = 0;
    for (std::size_t i = 1; i < inner.size(); ++i) {
      if (++suffixes > 64) {
        diagnostics.report("nesting-too-deep", spanOf(inner[i]).range(), {{"limit", "64"}});
        return {};
      }
      Expression outer;
      outer.span = {&file, base.span.begin, spanOf(inner[i]).end};
      const SyntaxKind kind = kindOf(inner[i]);
      if (kind == SyntaxKind::memberSuffix) {
        const auto tokens = tokensOf(inner[i]);
        if (tokens.size() > 1) {
          outer.kind = Expression::Kind::member;
          outer.text = tokenText(tokens[1]);
          outer.nameSpan = tokenSpan(tokens[1]);
        }
      } else if (kind == SyntaxKind::callSuffix || kind == SyntaxKind::indexSuffix) {
        outer.kind = kind == SyntaxKind::callSuffix ? Expression::Kind::call : Expression::Kind::index;
        outer.arguments = argumentsOf(inner[i]);
      }
      outer.children.push_back(std::move(base));
      base = std::move(outer);
    }
    return base;
  }

  const SourceFile &file;
  const SyntaxTree &tree;
  diagnostics::DiagnosticList &diagnostics;
};

} // namespace

const std::vector<Argument> &argumentsOf(const Expression &expression) {
  static const std::vector<Argument> none;
  return expression.kind == Expression::Kind::call ? expression.arguments : none;
}

Ast readTree(const SourceFile &file, const SyntaxTree &tree, diagnostics::DiagnosticList &diagnostics) {
  return Reader(file, tree, diagnostics).readFile();
}

Expression readExpression(const SourceFile &file, const SyntaxTree &tree, diagnostics::DiagnosticList &diagnostics) {
  return Reader(file, tree, diagnostics).readRoot();
}

} // namespace penstock::frontend
