// Names of C made of any text.
#include "runtime/artifact/c_layout.h"

#include <gtest/gtest.h>

using namespace penstock;

TEST(CNames, AreNamesOfC) {
  EXPECT_EQ(cName("price"), "price");
  EXPECT_EQ(cName("unit price"), "unit_price");
  EXPECT_EQ(cName("gr\u00f6\u00dfe"), "gr____e");
  EXPECT_EQ(cName("3d"), "_3d");
  EXPECT_EQ(cName(""), "_");
  for (const char *word : {"class", "if", "typeof", "co_await", "NULL", "errno", "linux"}) {
    EXPECT_EQ(cName(word), std::string("_") + word);
  }
}

TEST(CStructs, LieAsTheSystemVAbiLaysThem) {
  CStruct made;
  EXPECT_EQ(made.add("uint8_t a", "", 1, 1), 0U);
  EXPECT_EQ(made.add("double b", "", 8, 8), 8U);
  EXPECT_EQ(made.add("float c[3]", "", 12, 4), 16U);
  EXPECT_EQ(made.stride(), 32U);
}
