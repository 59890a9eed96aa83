#include "tools/penstock-docs/kernels_page.h"

#include "runtime/base/kernel_choices.h"
#include "runtime/base/kernel_rows.h"
#include "runtime/kernels/kernel_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

namespace penstock {
namespace {

std::string nameOf(KernelScope scope) {
  switch (scope) {
  case KernelScope::rows:
    return "rows";
  case KernelScope::segments:
    return "segments";
  case KernelScope::whole:
    return "whole";
  case KernelScope::inner:
    return "inner";
  }
  return "";
}

std::string nameOf(KernelValue value) { return (value.result ? "result " : "operand ") + std::to_string(value.index); }

std::string nameOf(const KernelArgument &argument) {
  switch (argument.role) {
  case KernelRole::value:
  case KernelRole::result:
    return nameOf(argument.of);
  case KernelRole::ids:
  case KernelRole::places:
    return nameOf(argument.of) + " (i32)";
  case KernelRole::vector:
    return nameOf(argument.of) + " or NULL";
  case KernelRole::rows:
    return "rows of " + nameOf(argument.of);
  case KernelRole::width:
    return "width of " + nameOf(argument.of) + (argument.divisor != 1 ? " / " + std::to_string(argument.divisor) : "") +
           (argument.attribute != nullptr ? std::string(" / `") + argument.attribute + "`" : "");
  case KernelRole::number:
    return argument.attribute != nullptr ? std::string("`") + argument.attribute + "`" : "a number";
  case KernelRole::handle:
    return "handle";
  case KernelRole::pool:
    return "pool";
  case KernelRole::scratch:
    return "scratch";
  case KernelRole::offsets:
    return "offsets";
  case KernelRole::rowRecord:
    return "record of each row";
  case KernelRole::rowWord:
    return "word of each row or NULL";
  case KernelRole::rowPlace:
    return "place of each row (`of`)";
  case KernelRole::null:
    return "NULL";
  case KernelRole::first:
    return "first record";
  case KernelRole::last:
    return "end of records";
  case KernelRole::records:
    return "records";
  case KernelRole::recordNumbers:
    return "record numbers";
  case KernelRole::record:
    return "record number";
  case KernelRole::seed:
    return "seed";
  case KernelRole::step:
    return "step";
  case KernelRole::key:
    return "`key`";
  case KernelRole::probability:
    return "`dropout`";
  case KernelRole::overwrite:
    return "0: overwrite";
  case KernelRole::nothing:
    break;
  }
  return "";
}

/// In floats.
std::string scratchOf(const KernelRow &row) {
  bool used = false;
  for (const KernelArgument &argument : argumentsOf(row)) {
    used |= argument.role == KernelRole::scratch;
  }
  if (!used) {
    return "";
  }
  if (row.scope == KernelScope::segments) {
    return "the worker's";
  }
  const KernelScratch &scratch = row.scratch;
  std::vector<std::string> perRow;
  if (scratch.perRow != 0) {
    perRow.push_back(std::to_string(scratch.perRow));
  }
  for (const KernelValue value : scratch.padded) {
    if (value.index >= 0) {
      perRow.push_back("round32(width of " + nameOf(value) + ")");
    }
  }
  std::vector<std::string> sum = {std::to_string(scratch.constant),
                                  "rows of " + nameOf(scratch.over) + " x (" + fmt::format("{}", fmt::join(perRow, " + ")) + ")"};
  if (scratch.andRowsOf.index >= 0) {
    sum.push_back("rows of " + nameOf(scratch.andRowsOf));
  }
  return fmt::format("{}", fmt::join(sum, " + "));
}

std::string costOf(const KernelRow &row) {
  const KernelCost &cost = row.cost;
  if (cost.arithmetic == 0) {
    return "";
  }
  std::string text = std::to_string(cost.arithmetic);
  for (const KernelValue width : cost.widths) {
    text += width.index < 0 ? "" : " x width of " + nameOf(width);
  }
  text += cost.divisor != 1 ? " / " + std::to_string(cost.divisor) : "";
  text += cost.sizes ? " x sizes" : "";
  return text + (cost.pairs ? " a pair of rows of " : " a row of ") + nameOf(cost.over);
}

} // namespace

std::string kernelsPage() {
  std::string page =
      "# Kernels\n\nFrom the table, `runtime/base/kernel_rows.def`; do not edit. How it is read: docs/design/kernel_table.md.\n\n"
      "| handle | numbers | implementations |\n|---|---|---|\n";
  for (const KernelHandleKind *kind : kernelHandleKinds()) {
    std::vector<std::string> numbers;
    for (int i = 0; i < countNumbers(*kind); ++i) {
      numbers.push_back(kind->numbers[i]);
    }
    std::vector<std::string> implementations;
    for (const std::string_view name : kernelImplementations(kind->name)) {
      implementations.push_back("`" + std::string(name) + "`");
    }
    page += "| `" + std::string(kind->name) + "` | " + fmt::format("{}", fmt::join(numbers, ", ")) + " | " +
            fmt::format("{}", fmt::join(implementations, ", ")) + " |\n";
  }
  page += "\nWhat computes a handle with `kernels: auto`; `packed`, ours, where there is no row.\n\n"
          "| handle | level | weight | implementation | measured |\n|---|---|---|---|---|\n";
  for (const KernelChoice &choice : kernelChoices()) {
    page += "| `" + std::string(choice.kind) + "` | " + choice.level + " | " + std::string(shapeClassName(choice.shape)) + " | `" +
            std::string(choice.implementation) + "` | " + std::string(choice.measured) + " |\n";
  }
  page +=
      "\n| kernel | scope | arguments of `penstock_KERNEL` | scratch, floats | operations | in a profile |\n|---|---|---|---|---|---|\n";
  for (const KernelRow *row : kernelRows()) {
    std::vector<std::string> arguments;
    for (const KernelArgument &argument : argumentsOf(*row)) {
      arguments.push_back(nameOf(argument));
    }
    const std::string grain = row->scope == KernelScope::segments ? ", " + std::to_string(row->grain) + " a piece" : "";
    page += "| `" + std::string(row->name) + "` | " + nameOf(row->scope) + grain + " | " + fmt::format("{}", fmt::join(arguments, ", ")) +
            " | " + scratchOf(*row) + " | " + costOf(*row) + " | " + row->cost.kind + " |\n";
  }
  return page;
}

} // namespace penstock
