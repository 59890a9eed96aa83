#include "runtime/abi/plugin_abi.h"

#define PENSTOCK_SIZE(name, bytes) _Static_assert(sizeof(void *) != 8 || sizeof(name) == (bytes), #name " has another size");
#include "tests/unit/abi/plugin_sizes.h"

size_t penstock_test_plugin_in_c(void);
size_t penstock_test_plugin_in_c(void) { return sizeof(PenstockPlugin); }
