// How diagnostics look: for people with an excerpt of the file, for programs as JSON Lines.
#pragma once

#include "compiler/diagnostics/diagnostic.h"

#include <functional>
#include <string>
#include <string_view>

namespace penstock::diagnostics {

/// Gives the text of a file that ranges name, or an empty view.
using TextOf = std::function<std::string_view(const std::string &file)>;

/// `FILE:LINE:COLUMN: error: message [id]`, the line with a caret under the range, labels, reason and fix.
std::string renderText(const Diagnostic &diagnostic, const TextOf &textOf);

/// One JSON object without a newline: id, severity, file, line, column, end_line, end_column, message, reason, fix, labels.
std::string renderJson(const Diagnostic &diagnostic);

} // namespace penstock::diagnostics
