#include "runtime/base/program_rows.h"

#include <gtest/gtest.h>

#define PENSTOCK_STRUCT(name, bytes, last)                                                                                                 \
  static_assert(sizeof(void *) != 8 || sizeof(name) == (bytes), #name " has another size");                                                \
  static_assert(PENSTOCK_SIZE_WITH(name, last) == sizeof(name), #name " has room behind " #last);
#include "tests/unit/abi/program_sizes.h"

extern "C" std::size_t penstock_test_program_in_c(void);

TEST(ProgramAbi, BothLanguagesSeeTheSameStructs) { EXPECT_EQ(penstock_test_program_in_c(), sizeof(PenstockProgram)); }

TEST(ProgramAbi, RowsOfATableAreReadByTheSizeOfTheirWriter) {
  // As if a later version had one member more.
  struct Later {
    PenstockOutputInfo known;
    std::int64_t member;
  };
  const PenstockValueType one = {sizeof(PenstockValueType), PENSTOCK_ROWS_ONE, -1, PENSTOCK_F32, 0, 2};
  const Later rows[] = {{{"critic.real", &one}, 7}, {{"critic.fake", &one}, 11}, {{"generator.fake", &one}, 13}};
  PenstockEntry entry{};
  entry.outputs = {3, sizeof(Later), rows};
  ASSERT_EQ(penstock::outputsOf(entry).size(), 3u);
  int i = 0;
  for (const PenstockOutputInfo &output : penstock::outputsOf(entry)) {
    EXPECT_STREQ(output.name, rows[i++].known.name);
  }
  EXPECT_EQ(i, 3);
}
