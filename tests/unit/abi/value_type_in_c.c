#include "runtime/abi/value_type.h"

_Static_assert(sizeof(void *) != 8 || sizeof(PenstockAxis) == 32, "a member was added: say so in the page and in the minor version");
_Static_assert(sizeof(PenstockValueType) == 32, "a member was added: say so in the page and in the minor version");

int64_t penstock_test_element_bytes(int32_t element);
int64_t penstock_test_element_bytes(int32_t element) { return penstock_element_bytes(element); }
