// The C type of a kernel on a CUDA device, from its row of the table of kernels (runtime/base/kernel_rows.def).
//
// Such a function runs on the host and enqueues: `call` first, the row's arguments by their roles, the precision last. Pointers are the
// device's. What differs from step to step is no argument but a place in the step's block, which lies on the device, so that a call of
// equal capacities has equal arguments and a graph can replay it:
//
//   rows, records, last   two arguments: int64_t capacity, const int64_t *count (NULL: exactly `capacity`). Grids follow from the
//                         capacity; a kernel reads the count and does nothing beyond it. Memory beyond it holds anything.
//   seed, step            const uint64_t *
//   first, pool, scratch  no argument
//   all others            as on the CPU (kernel_row.h)
#pragma once

#include "runtime/abi/program_abi.h"
#include "runtime/base/kernel_row.h"

#include <cstdint>

namespace penstock::cuda {

template <class... T> struct Types {};

template <class... A, class... B> consteval Types<A..., B...> operator+(Types<A...>, Types<B...>) { return {}; }

template <KernelRole role> consteval auto typesOf() {
  using enum KernelRole;
  if constexpr (role == rows || role == records || role == last) {
    return Types<std::int64_t, const std::int64_t *>();
  } else if constexpr (role == seed || role == step) {
    return Types<const std::uint64_t *>();
  } else if constexpr (role == first || role == pool || role == scratch) {
    return Types<>();
  } else {
    return Types<typename decltype(kernelTypeOf<role>())::type>();
  }
}

template <class List> struct FunctionOf;
template <class... T> struct FunctionOf<Types<T...>> {
  using type = void(T...);
};

template <const KernelRow &row, int... i> consteval auto typesOfRow(std::integer_sequence<int, i...>) {
  return (Types<const PenstockCall *>() + ... + typesOf<row.arguments[i].role>()) + Types<std::int32_t>();
}

/// Precision, the last argument: 0 float32; 1 operands of contractions are rounded to bf16, sums are float32.
template <const KernelRow &row>
using Function = typename FunctionOf<decltype(typesOfRow<row>(std::make_integer_sequence<int, countArguments(row)>()))>::type;

} // namespace penstock::cuda
