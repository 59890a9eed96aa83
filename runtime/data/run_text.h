// The text of a run's run.json, as everybody opens it who reads a run.
#pragma once

#include "runtime/base/status.h"

#include <nlohmann/json.hpp>

#include <string>

namespace penstock {

/// What run.json is written as. A change that this reader would not understand takes the next number.
inline constexpr int runFormat = 6;

/// The object in `text`, without its seal. An error (environment) names `path`: who wrote it in which format, where that is another one, or
/// how it is damaged.
Result<nlohmann::ordered_json> openRunText(const std::string &path, const std::string &text);

} // namespace penstock
