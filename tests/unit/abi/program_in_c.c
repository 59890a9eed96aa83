#include "runtime/abi/program_abi.h"

#define PENSTOCK_STRUCT(name, bytes, last)                                                                                                 \
  _Static_assert(sizeof(void *) != 8 || sizeof(name) == (bytes), #name " has another size");                                               \
  _Static_assert(PENSTOCK_SIZE_WITH(name, last) == sizeof(name), #name " has room behind " #last);
#include "tests/unit/abi/program_sizes.h"

size_t penstock_test_program_in_c(void);
size_t penstock_test_program_in_c(void) { return sizeof(PenstockProgram); }
