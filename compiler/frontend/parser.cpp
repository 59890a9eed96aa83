#include "compiler/frontend/parser_base.h"

#include "runtime/base/quantities.h"

#include <algorithm>
#include <utility>

namespace penstock::frontend {

namespace {

using diagnostics::DiagnosticList;

class Parser : ParserBase {
public:
  Parser(const SourceFile &source, DiagnosticList &list) : ParserBase(source, list) {}

  SyntaxTree parseWholeFile() {
    open(SyntaxKind::file);
    skipNewlines();
    edition();
    while (true) {
      skipNewlines();
      if (kind() == TokenKind::end || diagnostics.full()) {
        break;
      }
      item();
    }
    bumpRest();
    close();
    return std::move(tree);
  }

  SyntaxTree parseOneExpression() {
    open(SyntaxKind::file);
    brackets = 1; // newlines mean nothing here
    expression();
    if (kind() != TokenKind::end) {
      expected("the end of the value", "a value is one expression", "put quotes around text");
      open(SyntaxKind::error);
      while (kind() != TokenKind::end) {
        bump();
      }
      close();
    }
    bumpRest();
    close();
    return std::move(tree);
  }

private:
  // ---- items

  void edition() {
    open(SyntaxKind::edition);
    if (isWord("pipe")) {
      bump();
      if (kind() == TokenKind::integer) {
        if (peekText() != "1") {
          diagnostics.report("unknown-edition", rangeOf(peek()), {{"edition", std::string(peekText())}});
        }
        bump();
      } else {
        diagnostics.report("missing-edition", rangeOf(peek()));
      }
      close();
      endOfEntry(false);
      return;
    }
    diagnostics.report("missing-edition", rangeOf(peek()));
    close();
  }

  void item() {
    if (kind() != TokenKind::identifier) {
      const Token &token = peek();
      if (token.kind == TokenKind::rightBrace) {
        expected("a declaration or a block", "every `}` closes a block", "remove it");
        open(SyntaxKind::error);
        bump();
        close();
        return;
      }
      expected("a declaration or a block", "a file consists of declarations and blocks");
      skipEntry(false);
      return;
    }
    const std::string_view word = peekText();
    if (std::find(blockNames.begin(), blockNames.end(), word) != blockNames.end()) {
      block();
    } else if (word == "pipeline") {
      pipelineItem();
    } else if (word == "param") {
      paramItem();
    } else if (word == "import") {
      importItem();
    } else if (word == "use") {
      useItem();
    } else if (word == "layer" || word == "head") {
      layerItem(word == "layer" ? SyntaxKind::layerItem : SyntaxKind::headItem);
    } else {
      static const std::vector<std::string> words = {"data",     "features", "model",  "train", "evaluate", "target", "deploy",
                                                     "pipeline", "param",    "import", "use",   "layer",    "head"};
      diagnostics.report("unknown-item", rangeOf(peek()),
                         {{"name", std::string(word.substr(0, 40))}, {"nearest", diagnostics::nearest(std::string(word), words)}});
      skipEntry(false);
    }
  }

  void pipelineItem() {
    open(SyntaxKind::pipelineItem);
    bump();
    if (expectName("the name of the pipeline", "`pipeline` has a name and a description")) {
      if (kind() == TokenKind::string) {
        bump();
      }
    }
    close();
    endOfEntry(false);
  }

  void typeExpression() {
    if (kind() == TokenKind::identifier) {
      postfix();
    } else {
      expected("a type", "the type stands after `:`");
    }
  }

  void paramItem() {
    open(SyntaxKind::paramItem);
    bump();
    if (expectName("the name of the param", "`param NAME: TYPE = DEFAULT`")) {
      if (accept(TokenKind::colon)) {
        typeExpression();
      } else {
        expected("`:` and a type", "`param NAME: TYPE = DEFAULT`");
      }
      if (accept(TokenKind::equals)) {
        expression();
      }
    }
    close();
    endOfEntry(false);
  }

  void importItem() {
    open(SyntaxKind::importItem);
    bump();
    const std::string rule = "`import NAME, NAME from \"FILE\"`";
    bool good = expectName("the name of a layer or head", rule);
    while (good && accept(TokenKind::comma)) {
      good = expectName("the name of a layer or head", rule);
    }
    if (good) {
      if (isWord("from")) {
        bump();
        if (!accept(TokenKind::string)) {
          expected("the path of a file as a string", rule);
        }
      } else {
        expected("`from`", rule);
      }
    }
    close();
    endOfEntry(false);
  }

  void useItem() {
    open(SyntaxKind::useItem);
    bump();
    const std::string rule = "`use KIND NAME @ VERSION from \"FOLDER\"`";
    bool good = expectName("`tokenizer`, `head` or `metric`", rule) && expectName("the name of a plugin", rule);
    if (good && !accept(TokenKind::at)) {
      expected("`@` and a major version", rule);
      good = false;
    }
    if (good && !accept(TokenKind::integer)) {
      expected("a major version", rule);
      good = false;
    }
    if (good && isWord("from")) {
      bump();
      if (!accept(TokenKind::string)) {
        expected("the path of a folder as a string", rule);
      }
    } else if (good) {
      expected("`from`", rule);
    }
    close();
    endOfEntry(false);
  }

  void layerItem(SyntaxKind node) {
    open(node);
    bump();
    const std::string rule = "`layer NAME(input, parameter: TYPE = DEFAULT) { ... }`";
    if (expectName("a name", rule)) {
      parameterList(rule);
    }
    body(rule);
    close();
    endOfEntry(false);
  }

  void parameterList(const std::string &rule) {
    open(SyntaxKind::parameterList);
    if (kind() != TokenKind::leftParen) {
      expected("`(`", rule);
      close();
      return;
    }
    const Token opening = peek();
    bump();
    ++brackets;
    while (kind() == TokenKind::identifier && !(newlineBefore() && atItemStart())) {
      open(SyntaxKind::parameter);
      bump();
      if (accept(TokenKind::colon)) {
        typeExpression();
      }
      if (accept(TokenKind::equals)) {
        expression();
      }
      close();
      if (!accept(TokenKind::comma)) {
        break;
      }
    }
    closing(TokenKind::rightParen, opening, "(", ")", "a parameter or `)`", rule);
    close();
  }

  void block() {
    open(SyntaxKind::block);
    bump();
    if (kind() == TokenKind::identifier && kind(1) == TokenKind::leftBrace) {
      bump();
    }
    body("a block is `NAME { entries }`");
    close();
    endOfEntry(false);
  }

  void body(const std::string &rule) {
    open(SyntaxKind::body);
    if (kind() != TokenKind::leftBrace) {
      expected("`{`", rule, "write `{` on the same line");
      // A brace on the next line is taken as the one that was meant.
      if (afterNewlines() != TokenKind::leftBrace) {
        close();
        if (kind() != TokenKind::newline && kind() != TokenKind::end) {
          skipEntry(false);
        }
        return;
      }
      skipNewlines();
    }
    const Token opening = peek();
    if (++depth > deepest) {
      tooDeep();
      --depth;
      close();
      return;
    }
    bump();
    const int saved = brackets;
    brackets = 0;
    while (true) {
      while (kind() == TokenKind::newline || kind() == TokenKind::comma) {
        bump();
      }
      if (diagnostics.full()) {
        break;
      }
      if (kind() == TokenKind::rightBrace) {
        bump();
        break;
      }
      if (kind() == TokenKind::end || atItemStart()) {
        if (!reportedDepth) {
          diagnostics.report("unclosed", rangeOf(opening), {{"open", "{"}, {"close", "}"}}, {{rangeOf(peek()), "still open here"}});
        }
        leftOpen = true;
        break;
      }
      entry();
    }
    brackets = saved;
    --depth;
    close();
  }

  void entry() {
    const std::size_t before = at;
    if (kind() == TokenKind::identifier) {
      if (kind(1) == TokenKind::colon) {
        open(SyntaxKind::settingEntry);
        bump();
        bump();
        expression();
        close();
      } else if (kind(1) == TokenKind::equals) {
        open(SyntaxKind::bindingEntry);
        bump();
        bump();
        expression();
        close();
      } else if (isWord("column") && kind(1) == TokenKind::identifier && kind(2) == TokenKind::equals) {
        open(SyntaxKind::columnEntry);
        bump();
        bump();
        bump();
        expression();
        close();
      } else if (isWord("column") && kind(1) == TokenKind::identifier) {
        open(SyntaxKind::columnEntry);
        bump();
        bump();
        expected("`=` and a type", "`column NAME = TYPE(...)`");
        close();
      } else if (isWord("columns") && kind(1) == TokenKind::identifier) {
        open(SyntaxKind::columnsEntry);
        bump();
        expression();
        if (accept(TokenKind::equals)) {
          expression();
        }
        close();
      } else if (isWord("expect") && kind(1) != TokenKind::leftParen && kind(1) != TokenKind::flow) {
        expectEntry();
      } else if (kind(1) == TokenKind::leftBrace || (kind(1) == TokenKind::identifier && kind(2) == TokenKind::leftBrace)) {
        open(SyntaxKind::block);
        bump();
        if (kind() == TokenKind::identifier) {
          bump();
        }
        body("a block is `NAME { entries }`");
        close();
      } else {
        expressionEntry();
      }
    } else if (startsExpression(kind())) {
      expressionEntry();
    } else {
      expected("an entry", "a block consists of entries such as `name: value` and `name = value`");
      skipEntry(true);
    }
    endOfEntry(true);
    if (at == before && kind() != TokenKind::rightBrace && kind() != TokenKind::end) {
      open(SyntaxKind::error);
      bump();
      close();
    }
  }

  void expressionEntry() {
    open(SyntaxKind::expressionEntry);
    expression();
    close();
  }

  void expectEntry() {
    open(SyntaxKind::expectEntry);
    bump();
    expression();
    const TokenKind k = kind();
    if (k == TokenKind::less || k == TokenKind::lessEqual || k == TokenKind::greater || k == TokenKind::greaterEqual) {
      bump();
      expression();
    } else {
      expected("`>=`, `>`, `<=` or `<`", "`expect RESULT >= NUMBER`");
    }
    close();
  }

  // ---- expressions

  static bool startsExpression(TokenKind k) {
    switch (k) {
    case TokenKind::identifier:
    case TokenKind::integer:
    case TokenKind::floating:
    case TokenKind::percent:
    case TokenKind::string:
    case TokenKind::leftParen:
    case TokenKind::leftBracket:
    case TokenKind::minus:
      return true;
    default:
      return false;
    }
  }

  void tooDeep() {
    if (!reportedDepth) {
      diagnostics.report("nesting-too-deep", rangeOf(peek()), {{"limit", std::to_string(deepest / 2)}});
      reportedDepth = true;
    }
    // What is deeper is one error up to the end of the file: any recovery would be a guess.
    open(SyntaxKind::error);
    bumpRest();
    close();
  }

  /// A flow may go on in the next line when that begins with `|>`.
  bool flowFollows() {
    if (kind() == TokenKind::flow) {
      return true;
    }
    if (kind() != TokenKind::newline || afterNewlines() != TokenKind::flow) {
      return false;
    }
    skipNewlines();
    return true;
  }

  void expression() {
    if (++depth > deepest) {
      tooDeep();
      --depth;
      return;
    }
    const std::size_t from = mark();
    rangeExpression();
    if (flowFollows()) {
      wrap(from, SyntaxKind::flow);
      while (flowFollows()) {
        bump();
        if (kind() == TokenKind::identifier) {
          postfix();
        } else {
          expected("an operation", "`value |> operation(...)`");
          break;
        }
      }
      close();
    }
    --depth;
  }

  void rangeExpression() {
    const std::size_t from = mark();
    sum();
    if (kind() == TokenKind::range) {
      wrap(from, SyntaxKind::range);
      bump();
      sum();
      close();
    }
  }

  void sum() {
    const std::size_t from = mark();
    product();
    if (kind() == TokenKind::plus || kind() == TokenKind::minus) {
      wrap(from, SyntaxKind::sum);
      while (kind() == TokenKind::plus || kind() == TokenKind::minus) {
        bump();
        product();
      }
      close();
    }
  }

  void product() {
    const std::size_t from = mark();
    unary();
    if (kind() == TokenKind::star || kind() == TokenKind::slash) {
      wrap(from, SyntaxKind::product);
      while (kind() == TokenKind::star || kind() == TokenKind::slash) {
        bump();
        unary();
      }
      close();
    }
  }

  void unary() {
    if (kind() == TokenKind::minus) {
      open(SyntaxKind::negate);
      while (kind() == TokenKind::minus) {
        bump();
      }
      postfix();
      close();
      return;
    }
    postfix();
  }

  void postfix() {
    const std::size_t from = mark();
    if (!primary()) {
      return;
    }
    const auto suffix = [&] { return kind() == TokenKind::dot || kind() == TokenKind::leftParen || kind() == TokenKind::leftBracket; };
    if (!suffix() || (brackets > 0 && newlineBefore() && kind() != TokenKind::dot)) {
      return;
    }
    wrap(from, SyntaxKind::postfix);
    while (suffix() && !(brackets > 0 && newlineBefore() && kind() != TokenKind::dot)) {
      if (kind() == TokenKind::dot) {
        open(SyntaxKind::memberSuffix);
        bump();
        expectName("a name", "`value.name`");
        close();
      } else if (kind() == TokenKind::leftParen) {
        bracketed(SyntaxKind::callSuffix, TokenKind::rightParen, "(", ")");
      } else {
        bracketed(SyntaxKind::indexSuffix, TokenKind::rightBracket, "[", "]");
      }
    }
    close();
  }

  bool primary() {
    switch (kind()) {
    case TokenKind::integer:
    case TokenKind::floating: {
      const std::size_t number = peekIndex();
      const bool unit = tree.tokens[number + 1].kind == TokenKind::whitespace && tree.tokens[number + 2].kind == TokenKind::identifier;
      open(unit ? SyntaxKind::quantity : SyntaxKind::number);
      bump();
      if (unit) {
        const std::string_view name = peekText();
        if (findRow(units, name) == nullptr) {
          const std::vector<std::string> names = namesOf(units);
          diagnostics.report("unknown-unit", rangeOf(peek()),
                             {{"unit", std::string(name.substr(0, 40))},
                              {"units", diagnostics::quotedList(names)},
                              {"nearest", diagnostics::nearest(std::string(name), names)}});
        }
        bump();
      }
      close();
      return true;
    }
    case TokenKind::percent:
      open(SyntaxKind::number);
      bump();
      close();
      return true;
    case TokenKind::string:
      open(SyntaxKind::string);
      bump();
      close();
      return true;
    case TokenKind::identifier:
      open(SyntaxKind::name);
      bump();
      close();
      return true;
    case TokenKind::leftParen:
      bracketed(SyntaxKind::paren, TokenKind::rightParen, "(", ")");
      return true;
    case TokenKind::leftBracket:
      bracketed(SyntaxKind::list, TokenKind::rightBracket, "[", "]");
      return true;
    default:
      expected("an expression", "a value is a number, a string, a name, a call, a list or a flow",
               kind() == TokenKind::slash       ? "begin a comment with `#`"
               : kind() == TokenKind::leftBrace ? "write a list in `[` and `]`"
                                                : "");
      return false;
    }
  }

  /// `( ... )` or `[ ... ]` with arguments, which may be named in calls.
  void bracketed(SyntaxKind node, TokenKind end, const char *openText, const char *closeText) {
    if (++depth > deepest) {
      tooDeep();
      --depth;
      return;
    }
    open(node);
    const Token opening = peek();
    bump();
    ++brackets;
    const bool named = node == SyntaxKind::callSuffix || node == SyntaxKind::indexSuffix;
    while (kind() != end && kind() != TokenKind::end) {
      if (newlineBefore() && looksLikeNextEntry()) {
        break;
      }
      if (!startsExpression(kind())) {
        break;
      }
      if (named) {
        open(SyntaxKind::argument);
        if (kind() == TokenKind::identifier && kind(1) == TokenKind::colon) {
          bump();
          bump();
        }
        expression();
        close();
      } else {
        expression();
      }
      if (node == SyntaxKind::paren || !accept(TokenKind::comma)) {
        break;
      }
    }
    closing(end, opening, openText, closeText, std::string(named || node == SyntaxKind::list ? "`,` or `" : "`") + closeText + "`",
            "every bracket is closed");
    close();
    --depth;
  }

  /// Inside brackets: the next line is plainly another entry or item, so the bracket was forgotten.
  bool looksLikeNextEntry() const {
    return atItemStart() || (kind() == TokenKind::identifier && kind(1) == TokenKind::equals) ||
           (isWord("column") && kind(1) == TokenKind::identifier) || kind() == TokenKind::rightBrace;
  }

  void closing(TokenKind end, const Token &opening, const char *openText, const char *closeText, const std::string &what,
               const std::string &rule) {
    if (kind() == end) {
      --brackets;
      bumpClosing();
      return;
    }
    if (kind() == TokenKind::end || newlineBefore() || kind() == TokenKind::rightBrace) {
      const Token &token = peek();
      if (token.begin != lastReported && !reportedDepth) {
        lastReported = token.begin;
        diagnostics.report("unclosed", rangeOf(opening), {{"open", openText}, {"close", closeText}}, {{rangeOf(token), "still open here"}});
      }
      --brackets;
      return;
    }
    expected(what, rule);
    // Skip to the bracket that closes this one, if the line has it.
    open(SyntaxKind::error);
    int inner = 0;
    while (kind() != TokenKind::end && !newlineBefore()) {
      const TokenKind k = kind();
      if (inner == 0 && (closes(k) || k == TokenKind::leftBrace)) {
        break;
      }
      inner += opens(k) ? 1 : closes(k) ? -1 : 0;
      bump();
    }
    close();
    --brackets;
    if (kind() == end) {
      bump();
    }
  }

  /// The closing bracket itself: blanks before it still belong to the brackets.
  void bumpClosing() {
    ++brackets;
    bump();
    --brackets;
  }
};

} // namespace

SyntaxTree parseFile(const SourceFile &file, DiagnosticList &diagnostics) { return Parser(file, diagnostics).parseWholeFile(); }

SyntaxTree parseExpression(const SourceFile &file, DiagnosticList &diagnostics) { return Parser(file, diagnostics).parseOneExpression(); }

} // namespace penstock::frontend
