#include "compiler/emit/independent_loops.h"

#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/Module.h"

namespace penstock {

static llvm::MDNode *accessGroupOf(const llvm::Loop &loop) {
  llvm::MDNode *id = loop.getLoopID();
  if (!id) {
    return nullptr;
  }
  for (const llvm::MDOperand &operand : llvm::drop_begin(id->operands())) {
    auto *node = llvm::dyn_cast<llvm::MDNode>(operand);
    if (!node || node->getNumOperands() < 2) {
      continue;
    }
    auto *name = llvm::dyn_cast<llvm::MDString>(node->getOperand(0));
    if (name && name->getString() == "llvm.loop.parallel_accesses") {
      return llvm::dyn_cast<llvm::MDNode>(node->getOperand(1));
    }
  }
  return nullptr;
}

void markIndependentLoops(llvm::Module &module) {
  for (llvm::Function &function : module) {
    if (function.isDeclaration()) {
      continue;
    }
    llvm::DominatorTree dominators(function);
    llvm::LoopInfo loops(dominators);
    for (llvm::Loop *loop : loops.getLoopsInPreorder()) {
      llvm::MDNode *group = accessGroupOf(*loop);
      if (!group) {
        continue;
      }
      for (llvm::BasicBlock *block : loop->blocks()) {
        for (llvm::Instruction &instruction : *block) {
          if (instruction.mayReadOrWriteMemory()) {
            instruction.setMetadata(llvm::LLVMContext::MD_access_group, group);
          }
        }
      }
    }
  }
}

} // namespace penstock
