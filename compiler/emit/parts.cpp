#include "compiler/emit/parts.h"

#include "compiler/emit/codegen.h"
#include "runtime/base/cores.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBufferRef.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

namespace penstock {
namespace {

constexpr unsigned partCount = 4; // more gain little beside what MLIR does alone

using Parts = llvm::StringMap<unsigned>; // of functions, by name

/// What one part defines, another may call or take the address of. Gives every value a name that the linker can match, with `suffix` at the
/// end of those that are defined here.
void shareSymbols(llvm::Module &module, const std::string &suffix) {
  unsigned unnamed = 0;
  for (llvm::GlobalValue &value : module.global_values()) {
    if (!value.hasName()) {
      value.setName("penstock_part_" + llvm::Twine(unnamed++));
    }
    if (value.hasLocalLinkage()) {
      value.setLinkage(llvm::GlobalValue::ExternalLinkage);
      value.setVisibility(llvm::GlobalValue::HiddenVisibility);
      value.setDSOLocal(true);
    }
    if (!suffix.empty() && !value.isDeclaration()) {
      value.setName(value.getName() + suffix);
    }
  }
}

/// The largest function first, each to the part that has least.
Parts divide(const llvm::Module &module) {
  std::vector<std::pair<unsigned, const llvm::Function *>> functions;
  for (const llvm::Function &function : module) {
    if (!function.isDeclaration()) {
      functions.emplace_back(function.getInstructionCount(), &function);
    }
  }
  std::stable_sort(functions.begin(), functions.end(), [](const auto &a, const auto &b) { return a.first > b.first; });
  std::array<std::size_t, partCount> sizes{};
  Parts parts;
  for (const auto &[size, function] : functions) {
    const auto least = static_cast<unsigned>(std::min_element(sizes.begin(), sizes.end()) - sizes.begin());
    parts[function->getName()] = least;
    sizes[least] += size;
  }
  return parts;
}

Status generatePart(llvm::MemoryBufferRef bitcode, const Parts &parts, unsigned part, const std::string &level, ObjectFile &object) {
  PENSTOCK_ASSIGN(const std::unique_ptr<llvm::TargetMachine> machine, makeTargetMachine(level));
  llvm::LLVMContext context;
  llvm::Expected<std::unique_ptr<llvm::Module>> read = llvm::getLazyBitcodeModule(bitcode, context);
  if (!read) {
    return internalError("a part of the compiled program cannot be read: " + llvm::toString(read.takeError()));
  }
  llvm::Module &module = **read;
  for (llvm::Function &function : module) {
    const auto found = parts.find(function.getName());
    if (found != parts.end() && found->second != part) {
      function.deleteBody();
    }
  }
  if (llvm::Error error = module.materializeAll()) {
    return internalError("a part of the compiled program cannot be read: " + llvm::toString(std::move(error)));
  }
  // Data go with the first part.
  for (llvm::GlobalVariable &variable : module.globals()) {
    if (part != 0 && variable.hasInitializer()) {
      variable.setInitializer(nullptr);
      variable.setLinkage(llvm::GlobalValue::ExternalLinkage);
    }
  }
  PENSTOCK_TRY(optimizeModule(module, *machine));
  llvm::raw_svector_ostream stream(object);
  return generateCode(module, *machine, /*assembly=*/false, stream);
}

} // namespace

Status generateObjects(llvm::Module &module, const std::string &level, const std::string &suffix, std::vector<ObjectFile> &objects) {
  shareSymbols(module, suffix);
  const Parts parts = divide(module);
  llvm::SmallVector<char, 0> bitcode;
  llvm::raw_svector_ostream stream(bitcode);
  llvm::WriteBitcodeToFile(module, stream);
  const llvm::MemoryBufferRef text(llvm::StringRef(bitcode.data(), bitcode.size()), "penstock");
  objects.assign(partCount, {});
  std::vector<Status> results(partCount);
  std::atomic<unsigned> next{0};
  const auto work = [&] {
    for (unsigned part = next++; part < partCount; part = next++) {
      results[part] = generatePart(text, parts, part, level, objects[part]);
    }
  };
  const unsigned threads = std::clamp(static_cast<unsigned>(usableCores()), 1U, partCount);
  std::vector<std::thread> others;
  for (unsigned i = 1; i < threads; ++i) {
    others.emplace_back(work);
  }
  work();
  for (std::thread &other : others) {
    other.join();
  }
  for (Status &result : results) {
    PENSTOCK_TRY(std::move(result));
  }
  return Status::success();
}

} // namespace penstock
