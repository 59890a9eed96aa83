#include "runtime/abi/next/program_abi.h"

#include <gtest/gtest.h>

#define PENSTOCK_SIZE(name, bytes) static_assert(sizeof(void *) != 8 || sizeof(name) == (bytes), #name " has another size");
#include "tests/unit/abi/next_program_sizes.h"

extern "C" std::size_t penstock_test_program_in_c(void);

TEST(NextProgramAbi, BothLanguagesSeeTheSameStructs) { EXPECT_EQ(penstock_test_program_in_c(), sizeof(PenstockProgram)); }

TEST(NextProgramAbi, RowsOfATableAreReadByTheSizeOfTheirWriter) {
  // As if a later version had one member more.
  struct Later {
    PenstockOutputInfo known;
    std::int64_t member;
  };
  const PenstockValueType one = {sizeof(PenstockValueType), PENSTOCK_ROWS_ONE, -1, PENSTOCK_F32, 0, 2};
  const Later rows[] = {{{"critic.real", &one}, 7}, {{"critic.fake", &one}, 11}, {{"generator.fake", &one}, 13}};
  const PenstockTable table = {3, sizeof(Later), rows};
  for (std::int32_t i = 0; i < table.count; ++i) {
    EXPECT_STREQ(static_cast<const PenstockOutputInfo *>(penstock_table_row(&table, i))->name, rows[i].known.name);
  }
}
