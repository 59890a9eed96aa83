#include "runtime/abi/next/plugin_abi.h"

#include <gtest/gtest.h>

#define PENSTOCK_SIZE(name, bytes) static_assert(sizeof(void *) != 8 || sizeof(name) == (bytes), #name " has another size");
#include "tests/unit/abi/next_plugin_sizes.h"

extern "C" std::size_t penstock_test_plugin_in_c(void);

TEST(NextPluginAbi, BothLanguagesSeeTheSameStructs) { EXPECT_EQ(penstock_test_plugin_in_c(), sizeof(PenstockPlugin)); }

TEST(NextPluginAbi, AMemberIsThereWhereTheWritersSizeCoversIt) {
  const std::size_t without = offsetof(PenstockMetric, save);
  EXPECT_TRUE(PENSTOCK_NEXT_HAS(PenstockMetric, without, result));
  EXPECT_FALSE(PENSTOCK_NEXT_HAS(PenstockMetric, without, save));
  EXPECT_TRUE(PENSTOCK_NEXT_HAS(PenstockMetric, sizeof(PenstockMetric), load));
}
