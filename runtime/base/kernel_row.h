// What a row of the table of kernels says: one description of a kernel, from which come its C type, the code that calls it, its scratch,
// its line of a profile, its symbol and its page. The rows are kernel_rows.def; see docs/design/kernel_table.md.
//
// Levels' translation units include this file: nothing in it may become a function of theirs, so all of it is types and constants.
#pragma once

#include <cstdint>
#include <utility>

namespace penstock {

enum class KernelScope : std::uint8_t {
  rows,     // one call computes a block of rows of its axis; stands in row regions
  segments, // one call computes a range of records, reading and writing their rows
  whole,    // one call computes everything and splits its own work over the pool
  inner     // a part of generated code, which writes the call itself; kernel.invoke does not know it
};

/// A value of an invocation: its `index`-th operand or result.
struct KernelValue {
  std::int8_t index = -1; // -1: none
  bool result = false;
};

enum class KernelRole : std::uint8_t {
  nothing, // behind the last argument
  // void *
  handle, // of the row's kind
  pool,
  // const float *, float *
  value,   // an operand; in scope `rows` its first row of the block
  vector,  // an operand that is the same for all rows, NULL where the invocation has none there: a bias
  result,  // like `value`
  scratch, // of the worker in scope `segments` (PENSTOCK_SCRATCH_FLOATS), else the row's `scratch`
  // const int32_t *, int32_t *
  ids,       // an operand of whole numbers
  places,    // a result of whole numbers
  offsets,   // where the rows of each record begin, on the ragged axis of the invocation
  rowRecord, // the record of each row of that axis
  rowWord,   // the word of each row, NULL where the axis is not cut from words
  rowPlace,  // the place of each row in its record, or in its segment: the invocation's attribute `of`
  null,
  // int64_t
  first,   // the range of records, scope `segments`
  last,    //
  records, // how many there are
  rows,    // of a value; in scope `rows` those of the block
  width,   // elements of a row of a value, over `divisor`, over the invocation's attribute where one is named
  number,  // the invocation's attribute; in scope `inner` what the caller knows
  // others
  recordNumbers, // const uint64_t *, of all records
  record,        // uint64_t, a record's number
  seed,          // uint64_t
  step,          // uint64_t
  key,           // uint64_t, the attribute `key` or 0
  probability,   // float, the attribute `dropout` or 0
  overwrite      // int32_t, 0: the result replaces what was there
};

/// One argument of the kernel's C function.
struct KernelArgument {
  KernelRole role = KernelRole::nothing;
  KernelValue of = {};
  std::int8_t divisor = 1;
  const char *attribute = nullptr;
};

/// Floats: constant + rows(over) * (perRow + the widths of `padded`, each rounded up to 32) + rows(and).
struct KernelScratch {
  std::int64_t constant = 0, perRow = 0;
  KernelValue over = {}, padded[2] = {};
  KernelValue andRowsOf = {};
};

/// What a profile counts: `arithmetic` times the widths, for each row of `over`.
struct KernelCost {
  const char *kind = "";       // how a profile calls the step
  std::int64_t arithmetic = 0; // operations, two a multiply-add
  KernelValue over = {};       //
  KernelValue widths[2] = {};  //
  std::int64_t divisor = 1;    // of the product
  bool pairs = false;          // for each pair of rows of a record instead
  bool sizes = false;          // times the sizes of the handle
  bool readsPackedWeight = false;
};

/// What is made once at load and kept: the numbers of its kernel.dispatch.
struct KernelHandleKind {
  const char *name;
  const char *numbers[6]; // null behind the last
  int sizes;              // so many of them, the first ones, are the sizes of what it multiplies by
};

struct KernelRow {
  const char *name; // of kernel.invoke and kernel.call; the symbol is this after `penstock_`
  KernelScope scope = KernelScope::inner;
  std::int64_t grain = 1;                   // records of a piece of work, scope `segments`
  const KernelHandleKind *handle = nullptr; // where an argument is one
  KernelArgument arguments[20] = {};        // of the C function
  KernelScratch scratch = {};
  KernelCost cost = {};
};

constexpr int maximumKernelArguments = sizeof(KernelRow::arguments) / sizeof(KernelArgument);

// ---- the C type of a row --------------------------------------------------------------------------------------------------

template <class T> struct KernelType {
  using type = T;
};
template <KernelRole role> consteval auto kernelTypeOf() {
  using enum KernelRole;
  if constexpr (role == handle || role == pool) {
    return KernelType<void *>();
  } else if constexpr (role == value || role == vector) {
    return KernelType<const float *>();
  } else if constexpr (role == result || role == scratch) {
    return KernelType<float *>();
  } else if constexpr (role == ids || role == offsets || role == rowRecord || role == rowWord || role == rowPlace || role == null) {
    return KernelType<const std::int32_t *>();
  } else if constexpr (role == places) {
    return KernelType<std::int32_t *>();
  } else if constexpr (role == recordNumbers) {
    return KernelType<const std::uint64_t *>();
  } else if constexpr (role == record || role == seed || role == step || role == key) {
    return KernelType<std::uint64_t>();
  } else if constexpr (role == probability) {
    return KernelType<float>();
  } else if constexpr (role == overwrite) {
    return KernelType<std::int32_t>();
  } else {
    return KernelType<std::int64_t>();
  }
}

consteval int countArguments(const KernelRow &row) {
  int count = 0;
  while (count < maximumKernelArguments && row.arguments[count].role != KernelRole::nothing) {
    ++count;
  }
  return count;
}

template <const KernelRow &row, class Indices> struct KernelFunctionOf;
template <const KernelRow &row, int... i> struct KernelFunctionOf<row, std::integer_sequence<int, i...>> {
  using type = void(typename decltype(kernelTypeOf<row.arguments[i].role>())::type...);
};
/// The type of the row's C function: one that is declared or defined otherwise does not compile.
template <const KernelRow &row>
using KernelFunction = typename KernelFunctionOf<row, std::make_integer_sequence<int, countArguments(row)>>::type;

} // namespace penstock
