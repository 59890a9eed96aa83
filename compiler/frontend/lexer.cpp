#include "compiler/frontend/lexer.h"

#include "runtime/base/utf8.h"

#include <cstdio>

namespace penstock::frontend {

namespace {

bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

class Lexer {
public:
  Lexer(const SourceFile &source, diagnostics::DiagnosticList &list) : file(source), text(source.text()), diagnostics(list) {}

  std::vector<Token> run() {
    if (text.substr(0, 3) == "\xEF\xBB\xBF") {
      at = 3;
      push(TokenKind::whitespace, 0);
    }
    while (at < text.size()) {
      const std::size_t start = at;
      const TokenKind kind = next();
      push(kind, start);
    }
    tokens.push_back({TokenKind::end, position(at), position(at)});
    return std::move(tokens);
  }

private:
  static std::uint32_t position(std::size_t offset) { return static_cast<std::uint32_t>(offset); }

  char peek(std::size_t ahead = 0) const { return at + ahead < text.size() ? text[at + ahead] : '\0'; }

  void push(TokenKind kind, std::size_t start) { tokens.push_back({kind, position(start), position(at)}); }

  void report(const char *id, std::size_t begin, std::size_t end, const diagnostics::Arguments &arguments = {}) {
    diagnostics.report(id, file.range(position(begin), position(end)), arguments);
  }

  TokenKind next() {
    const char c = peek();
    switch (c) {
    case '\n':
      ++at;
      return TokenKind::newline;
    case ' ':
    case '\t':
    case '\r':
      while (peek() == ' ' || peek() == '\t' || peek() == '\r') {
        ++at;
      }
      return TokenKind::whitespace;
    case '#':
      return comment();
    case '"':
      return string();
    case '{':
      return sign(TokenKind::leftBrace);
    case '}':
      return sign(TokenKind::rightBrace);
    case '(':
      return sign(TokenKind::leftParen);
    case ')':
      return sign(TokenKind::rightParen);
    case '[':
      return sign(TokenKind::leftBracket);
    case ']':
      return sign(TokenKind::rightBracket);
    case ',':
      return sign(TokenKind::comma);
    case ':':
      return sign(TokenKind::colon);
    case '=':
      return sign(TokenKind::equals);
    case '+':
      return sign(TokenKind::plus);
    case '-':
      return sign(TokenKind::minus);
    case '*':
      return sign(TokenKind::star);
    case '/':
      return sign(TokenKind::slash);
    case '@':
      return sign(TokenKind::at);
    case '.':
      return peek(1) == '.' ? sign(TokenKind::range, 2) : sign(TokenKind::dot);
    case '<':
      return peek(1) == '=' ? sign(TokenKind::lessEqual, 2) : sign(TokenKind::less);
    case '>':
      return peek(1) == '=' ? sign(TokenKind::greaterEqual, 2) : sign(TokenKind::greater);
    default:
      break;
    }
    if (c == '|' && peek(1) == '>') {
      return sign(TokenKind::flow, 2);
    }
    if (isDigit(c)) {
      return number();
    }
    if (isLetter(c)) {
      while (isLetter(peek()) || isDigit(peek())) {
        ++at;
      }
      return TokenKind::identifier;
    }
    return invalid();
  }

  TokenKind sign(TokenKind kind, std::size_t length = 1) {
    at += length;
    return kind;
  }

  /// Steps over one scalar, or over a run of bytes that are not UTF-8 (reported).
  bool scalar() {
    std::size_t length = decodeUtf8(text, at).bytes;
    if (length > 0) {
      at += length;
      return true;
    }
    const std::size_t start = at;
    while (at < text.size() && decodeUtf8(text, at).bytes == 0) {
      ++at;
    }
    report("source-not-utf8", start, at);
    return false;
  }

  TokenKind comment() {
    while (at < text.size() && peek() != '\n') {
      scalar();
    }
    return TokenKind::comment;
  }

  TokenKind string() {
    const std::size_t start = at++;
    while (at < text.size() && peek() != '\n') {
      const char c = peek();
      if (c == '"') {
        ++at;
        return TokenKind::string;
      }
      if (c == '\\') {
        const char escaped = peek(1);
        if (escaped == '"' || escaped == '\\' || escaped == 'n' || escaped == 't') {
          at += 2;
          continue;
        }
        const std::size_t from = at++;
        std::string shown = "\\";
        if (at < text.size() && escaped != '\n' && decodeUtf8(text, at).bytes > 0) {
          shown += text.substr(at, decodeUtf8(text, at).bytes);
        }
        report("invalid-escape", from, from + shown.size(), {{"escape", shown}});
        continue;
      }
      if (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\r') {
        invalidCharacter(at, 1);
        ++at;
        continue;
      }
      scalar();
    }
    report("unterminated-string", start, at);
    return TokenKind::string;
  }

  TokenKind number() {
    const std::size_t start = at;
    const auto digits = [&] {
      bool good = isDigit(peek());
      while (isDigit(peek()) || peek() == '_') {
        good = good && !(peek() == '_' && !isDigit(peek(1)));
        ++at;
      }
      return good;
    };
    bool good = digits();
    bool whole = true;
    if (peek() == '.' && isDigit(peek(1))) {
      whole = false;
      ++at;
      good = digits() && good;
    }
    if ((peek() == 'e' || peek() == 'E') && (isDigit(peek(1)) || ((peek(1) == '-' || peek(1) == '+') && isDigit(peek(2))))) {
      whole = false;
      at += 2;
      while (isDigit(peek())) {
        ++at;
      }
    }
    if (isLetter(peek())) {
      good = false;
      while (isLetter(peek()) || isDigit(peek())) {
        ++at;
      }
    }
    if (!good) {
      report("malformed-number", start, at, {{"text", std::string(text.substr(start, at - start))}});
    }
    if (peek() == '%') {
      ++at;
      return TokenKind::percent;
    }
    return whole ? TokenKind::integer : TokenKind::floating;
  }

  void invalidCharacter(std::size_t begin, std::size_t length) {
    std::string shown;
    const auto first = static_cast<unsigned char>(text[begin]);
    if (first < 0x20 || first == 0x7F) {
      char code[24];
      std::snprintf(code, sizeof code, "the byte 0x%02X", first);
      shown = code;
    } else {
      shown = "`" + std::string(text.substr(begin, length)) + "`";
    }
    report("invalid-character", begin, begin + length, {{"character", shown}});
  }

  TokenKind invalid() {
    // A run of nonsense is one token and one report.
    const std::size_t start = at;
    std::size_t length = decodeUtf8(text, at).bytes;
    if (length == 0) {
      scalar();
      return TokenKind::invalid;
    }
    at += length;
    while (at < text.size()) {
      const char c = peek();
      const auto byte = static_cast<unsigned char>(c);
      const std::size_t step = decodeUtf8(text, at).bytes;
      const bool nonsense = step > 1 || (byte < 0x20 && c != '\n' && c != '\t' && c != '\r') || byte == 0x7F;
      if (step == 0 || !nonsense) {
        break;
      }
      at += step;
    }
    invalidCharacter(start, at - start > 16 ? length : at - start);
    return TokenKind::invalid;
  }

  const SourceFile &file;
  std::string_view text;
  diagnostics::DiagnosticList &diagnostics;
  std::vector<Token> tokens;
  std::size_t at = 0;
};

} // namespace

std::vector<Token> tokenize(const SourceFile &file, diagnostics::DiagnosticList &diagnostics) { return Lexer(file, diagnostics).run(); }

std::string describeToken(const SourceFile &file, const Token &token) {
  switch (token.kind) {
  case TokenKind::newline:
    return "the end of the line";
  case TokenKind::end:
    return "the end of the file";
  case TokenKind::comment:
    return "a comment";
  case TokenKind::invalid:
    return "a character without a meaning";
  case TokenKind::string:
    return "a string";
  default:
    break;
  }
  std::string_view text = file.text().substr(token.begin, token.end - token.begin);
  return "`" + std::string(text.substr(0, 40)) + (text.size() > 40 ? "..." : "") + "`";
}

std::string unescape(std::string_view token) {
  std::string out;
  std::size_t stop = token.size();
  if (stop >= 2 && token.back() == '"') {
    --stop;
  }
  for (std::size_t i = 1; i < stop; ++i) {
    if (token[i] == '\\' && i + 1 < stop) {
      const char c = token[i + 1];
      if (c == 'n' || c == 't' || c == '"' || c == '\\') {
        out += c == 'n' ? '\n' : c == 't' ? '\t' : c;
        ++i;
        continue;
      }
    }
    out += token[i];
  }
  return out;
}

} // namespace penstock::frontend
