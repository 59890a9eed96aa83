#pragma once

#include <string>

namespace penstock {

/// docs/generated/answers.md, from the schemas that the heads and learners of this build describe. Empty, with a message on standard
/// error, where one cannot be asked.
std::string answersPage();

} // namespace penstock
