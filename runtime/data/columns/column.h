// How cells of columns that hold numbers are read: `readCell` of the namespace of each type, in a file of its own.
#pragma once

#include "runtime/base/pipeline_value.h"

#include <string_view>

#define COLUMN_TYPE(...)
#define NUMBER_COLUMN_TYPE(ID, ...)                                                                                                        \
  namespace penstock::columns::ID {                                                                                                        \
  /* The number that a cell without blanks around it says; false where it says none. */                                                    \
  bool readCell(const ColumnSpec &column, std::string_view text, double &value);                                                           \
  }
#include "runtime/base/column_types.def"
