// One layout for every file. Lines stay where the writer broke them; blanks, indentation, the columns of `:` and `=` within
// a block, and the place of `|>` at the beginning of a line are ours.
#include "compiler/frontend/frontend.h"
#include "compiler/frontend/syntax.h"

#include "runtime/base/utf8.h"

#include <algorithm>
#include <map>

namespace penstock::frontend {

namespace {

struct Line {
  std::string text; // without indentation
  int blankBefore = 0;
  // Indentation: `extra` columns from the indentation of line `from` (-1: from the margin); from its text column `column`
  // where that is set.
  int from = -1, extra = 0, column = -1;
  // A line that begins an entry: where blanks may be put in so that values stand below each other.
  std::uint32_t group = 0; // the body; 0: none
  bool setting = false;
  int alignAt = -1;
  bool several = false; // more than one entry in the line
  bool comment = false;
  int indentation = 0, padding = 0;
};

bool isOpening(TokenKind kind) { return kind == TokenKind::leftBrace || kind == TokenKind::leftParen || kind == TokenKind::leftBracket; }
bool isClosing(TokenKind kind) { return kind == TokenKind::rightBrace || kind == TokenKind::rightParen || kind == TokenKind::rightBracket; }

int columnsOf(const std::string &text) { return static_cast<int>(countScalars(text)); }

class Formatter {
public:
  Formatter(const SourceFile &source, const SyntaxTree &syntax) : file(source), tree(syntax) {
    parents.resize(tree.tokens.size(), 0);
    tree.forEachToken([&](std::uint32_t token, std::uint32_t node) {
      parents[token] = node;
      order.push_back(token);
    });
    grandparents.resize(tree.nodes.size(), 0);
    for (std::uint32_t node = 0; node < tree.nodes.size(); ++node) {
      for (const SyntaxElement element : tree.nodes[node].children) {
        if (!element.isToken) {
          grandparents[element.index] = node;
        }
      }
    }
    matchBraces();
  }

  std::string run() {
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::uint32_t index = order[i];
      const Token &token = tree.tokens[index];
      switch (token.kind) {
      case TokenKind::whitespace:
        break;
      case TokenKind::newline:
        ++newlines;
        break;
      case TokenKind::comment:
        comment(token);
        break;
      case TokenKind::comma:
        if (!dropped(i)) {
          significant(index);
        }
        break;
      default:
        significant(index);
      }
    }
    return finish();
  }

private:
  std::string textOf(const Token &token) const { return std::string(file.text().substr(token.begin, token.end - token.begin)); }
  SyntaxKind parentKind(std::uint32_t token) const { return tree.nodes[parents[token]].kind; }

  void matchBraces() {
    std::vector<std::uint32_t> open;
    std::vector<bool> broken;
    for (const std::uint32_t index : order) {
      const TokenKind kind = tree.tokens[index].kind;
      if (kind == TokenKind::newline) {
        std::fill(broken.begin(), broken.end(), true);
      } else if (kind == TokenKind::leftBrace) {
        open.push_back(index);
        broken.push_back(false);
      } else if (kind == TokenKind::rightBrace && !open.empty()) {
        severalLines[open.back()] = severalLines[index] = broken.back();
        open.pop_back();
        broken.pop_back();
      }
    }
  }

  /// A comma that a line end or a bracket makes needless.
  bool dropped(std::size_t at) const {
    const bool inBody = parentKind(order[at]) == SyntaxKind::body;
    for (std::size_t i = at + 1; i < order.size(); ++i) {
      const TokenKind kind = tree.tokens[order[i]].kind;
      if (kind == TokenKind::newline) {
        if (inBody) {
          return true;
        }
        break; // in brackets of several lines the last comma stays
      }
      if (kind == TokenKind::whitespace || kind == TokenKind::comment) {
        continue;
      }
      if (isClosing(kind) || (inBody && kind == TokenKind::comma)) {
        return true;
      }
      break;
    }
    if (!inBody) {
      return false;
    }
    for (std::size_t i = at; i-- > 0;) {
      const TokenKind kind = tree.tokens[order[i]].kind;
      if (kind == TokenKind::whitespace || kind == TokenKind::comment) {
        continue;
      }
      return kind == TokenKind::newline || kind == TokenKind::leftBrace;
    }
    return true;
  }

  Line &begin() {
    Line line;
    line.blankBefore = !lines.empty() && newlines > 1 && !justOpened ? 1 : 0;
    if (!brackets.empty()) {
      line.from = brackets.back();
      line.extra = 2;
    }
    lines.push_back(std::move(line));
    newlines = 0;
    previous = -1;
    return lines.back();
  }

  void comment(const Token &token) {
    std::string text = textOf(token);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) {
      text.pop_back();
    }
    if (newlines == 0 && !lines.empty()) {
      lines.back().text += "  " + text;
    } else {
      Line &line = begin();
      line.text = text;
      line.comment = true;
    }
    justOpened = false;
  }

  void significant(std::uint32_t index) {
    const Token &token = tree.tokens[index];
    const bool closing = isClosing(token.kind);
    const bool brace = token.kind == TokenKind::rightBrace;
    const auto broken = severalLines.find(index);
    const bool forced = (justOpened && bodyBroken) || (brace && broken != severalLines.end() && broken->second);
    if (lines.empty() || newlines > 0 || forced) {
      if (closing) {
        newlines = std::min(newlines, 1);
      }
      Line &line = begin();
      if (closing && !brackets.empty()) {
        line.from = brackets.back();
        line.extra = 0;
      }
      if (token.kind == TokenKind::flow) {
        flowLine(line, index);
        for (std::size_t i = lines.size() - 1; i-- > 0 && lines[i].comment;) { // what stands above a step stands where it does
          lines[i].from = line.from;
          lines[i].column = line.column;
          lines[i].extra = line.extra;
        }
      }
      entryLine(line, index);
    } else if (previous >= 0) {
      if (spaced(static_cast<std::uint32_t>(previous), index)) {
        lines.back().text += ' ';
      }
      if (startsEntry(index)) {
        lines.back().several = true;
      }
    }
    justOpened = false;
    if (closing && !brackets.empty()) {
      brackets.pop_back();
    }
    Line &line = lines.back();
    const int lineIndex = static_cast<int>(lines.size()) - 1;
    if (token.kind == TokenKind::flow && flows.find(parents[index]) == flows.end()) {
      flows[parents[index]] = {lineIndex, line.text.empty() ? -1 : columnsOf(line.text)};
    }
    if (line.group != 0 && line.alignAt < 0 && parents[index] == alignNode) {
      if (line.setting && token.kind == TokenKind::colon) {
        line.alignAt = columnsOf(line.text) + 2;
      } else if (!line.setting && token.kind == TokenKind::equals) {
        line.alignAt = columnsOf(line.text);
      }
    }
    line.text += textOf(token);
    if (isOpening(token.kind)) {
      brackets.push_back(lineIndex);
      justOpened = true;
      const auto several = severalLines.find(index);
      bodyBroken = several != severalLines.end() && several->second;
    }
    previous = index;
  }

  /// A line that begins with `|>` stands below the first `|>` of its flow, or one step in where that begins a line too.
  void flowLine(Line &line, std::uint32_t index) {
    const auto first = flows.find(parents[index]);
    if (first != flows.end() && first->second.second >= 0) {
      line.from = first->second.first;
      line.column = first->second.second;
      line.extra = 0;
    } else {
      line.extra += 2;
    }
  }

  /// The node of an entry of a body that this token begins, or 0.
  std::uint32_t startsEntry(std::uint32_t index) const {
    std::uint32_t node = parents[index];
    // The first token of an expression entry lies deeper; only named entries are aligned.
    const SyntaxKind kind = tree.nodes[node].kind;
    if (kind != SyntaxKind::settingEntry && kind != SyntaxKind::bindingEntry && kind != SyntaxKind::columnEntry &&
        kind != SyntaxKind::expectEntry) {
      return 0;
    }
    for (const SyntaxElement element : tree.nodes[node].children) {
      if (element.isToken && tree.tokens[element.index].kind != TokenKind::whitespace &&
          tree.tokens[element.index].kind != TokenKind::newline && tree.tokens[element.index].kind != TokenKind::comment) {
        return element.index == index ? node : 0;
      }
    }
    return 0;
  }

  void entryLine(Line &line, std::uint32_t index) {
    const std::uint32_t node = startsEntry(index);
    if (node == 0 || tree.nodes[node].kind == SyntaxKind::expectEntry) {
      return;
    }
    line.group = grandparents[node];
    line.setting = tree.nodes[node].kind == SyntaxKind::settingEntry;
    alignNode = node;
  }

  bool spaced(std::uint32_t before, std::uint32_t index) const {
    const TokenKind left = tree.tokens[before].kind, right = tree.tokens[index].kind;
    if (left == TokenKind::leftBrace && right == TokenKind::rightBrace) {
      return false;
    }
    if (left == TokenKind::leftParen || left == TokenKind::leftBracket || right == TokenKind::rightParen ||
        right == TokenKind::rightBracket) {
      return false;
    }
    if (right == TokenKind::comma || right == TokenKind::colon || right == TokenKind::dot || left == TokenKind::dot ||
        left == TokenKind::range || right == TokenKind::range) {
      return false;
    }
    if (left == TokenKind::minus && parentKind(before) == SyntaxKind::negate) {
      return false;
    }
    if (right == TokenKind::leftParen) {
      const SyntaxKind kind = parentKind(index);
      return kind != SyntaxKind::callSuffix && kind != SyntaxKind::parameterList;
    }
    if (right == TokenKind::leftBracket) {
      return parentKind(index) != SyntaxKind::indexSuffix;
    }
    return true;
  }

  void align() {
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (lines[i].group == 0 || lines[i].alignAt < 0) {
        continue;
      }
      // Lines that continue the entry stand between; blanks and comments of their own end a group.
      std::vector<std::size_t> members{i};
      std::size_t last = i;
      for (std::size_t k = i + 1; k < lines.size(); ++k) {
        if (lines[k].blankBefore > 0 || lines[k].comment) {
          break;
        }
        if (lines[k].group == lines[i].group && lines[k].alignAt >= 0) {
          if (lines[k].setting != lines[i].setting) {
            break;
          }
          members.push_back(k);
        } else if (lines[k].group != 0) {
          break;
        }
        last = k;
      }
      int widest = 0;
      for (const std::size_t member : members) {
        if (!lines[member].several) {
          widest = std::max(widest, lines[member].alignAt);
        }
      }
      for (const std::size_t member : members) {
        lines[member].padding = lines[member].several ? 0 : widest - lines[member].alignAt;
      }
      i = last;
    }
  }

  std::string finish() {
    align();
    std::string out;
    for (Line &line : lines) {
      if (line.from < 0) {
        line.indentation = line.extra;
      } else {
        const Line &base = lines[static_cast<std::size_t>(line.from)];
        line.indentation = base.indentation + line.extra;
        if (line.column >= 0) {
          line.indentation += line.column + (base.alignAt >= 0 && line.column >= base.alignAt ? base.padding : 0);
        }
      }
      if (line.blankBefore > 0) {
        out += '\n';
      }
      out.append(static_cast<std::size_t>(line.indentation), ' ');
      if (line.padding > 0) {
        std::size_t at = 0;
        for (int column = 0; at < line.text.size() && column < line.alignAt; ++at) {
          column += !continuesUtf8(line.text[at]);
        }
        line.text.insert(at, static_cast<std::size_t>(line.padding), ' ');
      }
      out += line.text + '\n';
    }
    return out;
  }

  const SourceFile &file;
  const SyntaxTree &tree;
  std::vector<std::uint32_t> parents, grandparents, order;
  std::map<std::uint32_t, bool> severalLines;         // by brace: whether its body is broken into lines
  std::map<std::uint32_t, std::pair<int, int>> flows; // by flow: line and column of its first `|>`, -1 at a line's beginning
  std::vector<Line> lines;
  std::vector<int> brackets; // line where each open bracket began
  std::uint32_t alignNode = 0;
  int newlines = 0;
  std::int64_t previous = -1;
  bool justOpened = false, bodyBroken = false;
};

} // namespace

Formatted format(const std::string &path, const std::string &text) {
  Formatted formatted;
  if (text.size() > SourceFile::largest) {
    const SourceFile empty(path, "");
    formatted.diagnostics.report("file-too-large", empty.range(0, 0));
    return formatted;
  }
  const SourceFile file(path, text);
  const SyntaxTree tree = parseFile(file, formatted.diagnostics);
  if (formatted.diagnostics.hasErrors()) {
    return formatted;
  }
  formatted.ok = true;
  formatted.text = Formatter(file, tree).run();
  return formatted;
}

} // namespace penstock::frontend
