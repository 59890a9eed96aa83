// Whether an answer of a plugin may stand on a line of JSON Lines.
#pragma once

#include <string_view>

namespace penstock {

/// Whether `text` is one JSON object (RFC 8259) in UTF-8 without a line end: objects and lists nest 512 deep at most, and a `\u` of a
/// surrogate stands beside its other half. One pass at about a byte a nanosecond, which a general parser does not reach: answers are
/// most of what a small model costs.
/// `taken` becomes the first of the object's own keys that predict writes itself, `row` or `error`, or stays as it is.
bool isJsonLine(std::string_view text, std::string_view *taken = nullptr);

} // namespace penstock
