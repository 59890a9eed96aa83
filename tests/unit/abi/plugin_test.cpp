#include "runtime/abi/plugin_abi.h"

#include <gtest/gtest.h>

#define PENSTOCK_SIZE(name, bytes) static_assert(sizeof(void *) != 8 || sizeof(name) == (bytes), #name " has another size");
#include "tests/unit/abi/plugin_sizes.h"

extern "C" std::size_t penstock_test_plugin_in_c(void);

TEST(PluginAbi, BothLanguagesSeeTheSameStructs) { EXPECT_EQ(penstock_test_plugin_in_c(), sizeof(PenstockPlugin)); }

TEST(PluginAbi, AMemberIsThereWhereTheWritersSizeCoversIt) {
  PenstockMetric metric{};
  metric.struct_size = offsetof(PenstockMetric, save);
  EXPECT_TRUE(PENSTOCK_HAS(&metric, PenstockMetric, result));
  EXPECT_FALSE(PENSTOCK_HAS(&metric, PenstockMetric, save));
  metric.struct_size = sizeof metric;
  EXPECT_TRUE(PENSTOCK_HAS(&metric, PenstockMetric, load));
}

TEST(PluginAbi, RowsOfATableAreAsLongAsTheirWriterSays) {
  struct Later {
    PenstockValue known;
    void *added;
  } const rows[2] = {{{{"a", 1}, 0, 3, 0, {}, nullptr, nullptr, 0}, nullptr}, {{{"b", 1}, 0, 5, 0, {}, nullptr, nullptr, 0}, nullptr}};
  const PenstockTable table = {2, sizeof(Later), rows};
  EXPECT_EQ(static_cast<const PenstockValue *>(penstock_table_row(&table, 1))->integer, 5);
}
