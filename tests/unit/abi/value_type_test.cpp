#include "runtime/abi/value_type.h"

#include <gtest/gtest.h>

#include <cstddef>

static_assert(sizeof(PenstockAxis) == 32 && offsetof(PenstockAxis, extents) == 24);
static_assert(sizeof(PenstockValueType) == 32 && offsetof(PenstockValueType, width) == 24);

extern "C" std::int64_t penstock_test_element_bytes(std::int32_t element);

namespace {

TEST(ValueType, BytesOfAnElementAreThoseOfTheTableInBothLanguages) {
  const std::int64_t bytes[] = {0, 4, 4, 1, 2, 1, 0};
  for (std::int32_t element = 0; element < 7; ++element) {
    EXPECT_EQ(penstock_element_bytes(element), bytes[element]) << element;
    EXPECT_EQ(penstock_test_element_bytes(element), bytes[element]) << element;
  }
  EXPECT_EQ(penstock_element_bytes(-1), 0);
}

TEST(ValueType, AStructOfZerosIsNoValue) {
  const PenstockValueType nothing = {};
  EXPECT_EQ(penstock_element_bytes(nothing.element), 0);
}

} // namespace
