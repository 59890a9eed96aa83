// Bytes to tokens. Every byte of the file is in exactly one token, whatever the bytes are.
#pragma once

#include "compiler/diagnostics/diagnostic.h"
#include "compiler/frontend/source.h"

#include <string>
#include <vector>

namespace penstock::frontend {

enum class TokenKind : std::uint8_t {
  whitespace,
  newline,
  comment,
  invalid, // bytes without a meaning, already reported
  identifier,
  integer,
  floating,
  percent, // a number with its `%`
  string,
  leftBrace,
  rightBrace,
  leftParen,
  rightParen,
  leftBracket,
  rightBracket,
  comma,
  colon,
  equals,
  flow, // |>
  plus,
  minus,
  star,
  slash,
  dot,
  range, // ..
  less,
  lessEqual,
  greater,
  greaterEqual,
  at,
  end
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::uint32_t begin = 0, end = 0;
};

/// Splits `file` into tokens that cover it without gaps; the last one is `end`. Reports what has no meaning.
std::vector<Token> tokenize(const SourceFile &file, diagnostics::DiagnosticList &diagnostics);

/// How a token is named in a message: "a newline", "`|>`", "`name`".
std::string describeToken(const SourceFile &file, const Token &token);

/// The text that a string token stands for; escapes were checked by tokenize.
std::string unescape(std::string_view token);

} // namespace penstock::frontend
