#include "runtime/base/kernel_rows.h"

#include <algorithm>

namespace penstock {
namespace {

#define PENSTOCK_KERNEL(kernel, ...) &kernels::kernel,
constexpr const KernelRow *table[] = {
#include "runtime/base/kernel_rows.def"
};
#define PENSTOCK_HANDLE(kind, ...) &handle_kinds::kind,
constexpr const KernelHandleKind *kinds[] = {
#include "runtime/base/kernel_rows.def"
};

template <class Entry> const Entry *named(std::span<const Entry *const> entries, std::string_view name) {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry *entry) { return name == entry->name; });
  return found == entries.end() ? nullptr : *found;
}

} // namespace

std::span<const KernelRow *const> kernelRows() { return table; }
std::span<const KernelHandleKind *const> kernelHandleKinds() { return kinds; }
const KernelRow *findKernelRow(std::string_view name) { return named(kernelRows(), name); }
const KernelHandleKind *findKernelHandleKind(std::string_view name) { return named(kernelHandleKinds(), name); }

std::span<const KernelArgument> argumentsOf(const KernelRow &row) {
  const auto end = std::find_if(std::begin(row.arguments), std::end(row.arguments),
                                [](const KernelArgument &argument) { return argument.role == KernelRole::nothing; });
  return {std::begin(row.arguments), end};
}

int countNumbers(const KernelHandleKind &kind) {
  return static_cast<int>(std::find(std::begin(kind.numbers), std::end(kind.numbers), nullptr) - std::begin(kind.numbers));
}

KernelOperands operandsOf(const KernelRow &row) {
  KernelOperands found;
  for (const KernelArgument &argument : argumentsOf(row)) {
    if (argument.of.index < 0) {
      continue;
    }
    int &count = argument.of.result ? found.results : argument.role == KernelRole::vector ? found.most : found.least;
    count = std::max(count, argument.of.index + 1);
  }
  found.most = std::max(found.most, found.least);
  return found;
}

} // namespace penstock
