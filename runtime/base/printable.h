// Text from outside (cells, names of classes and files, what plugins say) as it may be shown to a person.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace penstock {

/// `text` as a terminal shows it unchanged, on one line: bytes that are not UTF-8, control characters (C0 but the tab, DEL, C1) and
/// characters that turn the direction of writing become U+FFFD, so that no text can steer the terminal or pass for another line.
std::string printable(std::string_view text);

/// `printable` line by line: line ends stay, for texts that have several lines (reports, messages).
std::string printableLines(std::string_view text);

/// `printable`, cut to `limit` characters; what is cut shows as "...".
std::string printable(std::string_view text, std::size_t limit);

} // namespace penstock
