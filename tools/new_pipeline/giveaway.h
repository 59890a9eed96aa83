// Columns that tell the target by themselves.
#pragma once

#include "tools/new_pipeline/column_profile.h"

#include <string>

namespace penstock {

/// How much of what is not known of the target a column tells alone: 0 nothing, 1 all. Of classes the share of the errors of "always the
/// most frequent class" that are gone when each value of the column answers its most frequent class, a record's own not counted (Goodman
/// and Kruskal's lambda, left out one by one); of numbers the share of the variance that is gone when each value answers its mean,
/// likewise, or a line through a column of numbers.
struct Giveaway {
  double share = 0;
  std::string flag; // a value of two that stands beside one class alone, of a rare one; ""
  std::string flagClass;
};

/// `column` and `target`: places in the rows of the sample.
Giveaway giveawayOf(const RawProfile &profile, std::size_t column, std::size_t target, bool targetIsNumber);

} // namespace penstock
