// The table of kernels: kernel_rows.def as constants, `kernels::NAME` of type KernelRow each.
#pragma once

#include "runtime/base/kernel_row.h"

#include <span>
#include <string_view>

namespace penstock {

namespace kernel_words {
consteval KernelValue in(int index) { return {static_cast<std::int8_t>(index), false}; }
consteval KernelValue out(int index) { return {static_cast<std::int8_t>(index), true}; }

using enum KernelScope;
inline constexpr KernelArgument handle = {KernelRole::handle}, pool = {KernelRole::pool}, scratch = {KernelRole::scratch},
                                offsets = {KernelRole::offsets}, rowRecord = {KernelRole::rowRecord}, rowWord = {KernelRole::rowWord},
                                rowPlace = {KernelRole::rowPlace}, null = {KernelRole::null}, first = {KernelRole::first},
                                last = {KernelRole::last}, records = {KernelRole::records}, recordNumbers = {KernelRole::recordNumbers},
                                record = {KernelRole::record}, seed = {KernelRole::seed}, step = {KernelRole::step},
                                key = {KernelRole::key}, probability = {KernelRole::probability}, overwrite = {KernelRole::overwrite},
                                number = {KernelRole::number};
consteval KernelArgument value(int index) { return {KernelRole::value, in(index)}; }
consteval KernelArgument vector(int index) { return {KernelRole::vector, in(index)}; }
consteval KernelArgument ids(int index) { return {KernelRole::ids, in(index)}; }
consteval KernelArgument result(int index) { return {KernelRole::result, out(index)}; }
consteval KernelArgument places(int index) { return {KernelRole::places, out(index)}; }
consteval KernelArgument rowsOf(KernelValue of) { return {KernelRole::rows, of}; }
consteval KernelArgument width(KernelValue of, int divisor = 1, const char *attribute = nullptr) {
  return {KernelRole::width, of, static_cast<std::int8_t>(divisor), attribute};
}
consteval KernelArgument attribute(const char *name) { return {KernelRole::number, {}, 1, name}; }
} // namespace kernel_words

namespace handle_kinds {
#define PENSTOCK_HANDLE(kind, ...) inline constexpr KernelHandleKind kind = {.name = #kind, __VA_ARGS__};
#include "runtime/base/kernel_rows.def"
} // namespace handle_kinds

namespace kernels {
namespace detail {
using namespace kernel_words;
#define PENSTOCK_KERNEL(kernel, ...) inline constexpr KernelRow kernel##Row = {.name = #kernel, __VA_ARGS__};
#include "runtime/base/kernel_rows.def"
} // namespace detail
#define PENSTOCK_KERNEL(kernel, ...) inline constexpr const KernelRow &kernel = detail::kernel##Row;
#include "runtime/base/kernel_rows.def"
} // namespace kernels

/// In the order of the file.
std::span<const KernelRow *const> kernelRows();
std::span<const KernelHandleKind *const> kernelHandleKinds();

/// The row, the kind of handle of this name, or null.
const KernelRow *findKernelRow(std::string_view name);
const KernelHandleKind *findKernelHandleKind(std::string_view name);

/// The arguments of the row's C function.
std::span<const KernelArgument> argumentsOf(const KernelRow &row);

/// How many numbers a kernel.dispatch of the kind has.
int countNumbers(const KernelHandleKind &kind);

/// Operands and results that an invocation has: those that the row's arguments name. Vectors at the end may be absent.
struct KernelOperands {
  int least = 0, most = 0, results = 0;
};
KernelOperands operandsOf(const KernelRow &row);

} // namespace penstock
