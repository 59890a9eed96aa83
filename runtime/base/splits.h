// The splits of the data.
#pragma once

#include <array>

namespace penstock {

/// The splits there can be, in the order in which everything lists them.
inline constexpr std::array<const char *, 3> splitNames = {"train", "dev", "test"};

} // namespace penstock
