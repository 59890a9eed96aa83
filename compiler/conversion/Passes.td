// The conversions from one dialect to the next, in the order in which the pipeline runs them (compiler/pipeline/pipeline.h).
#ifndef PENSTOCK_CONVERSION_PASSES
#define PENSTOCK_CONVERSION_PASSES

include "mlir/Pass/PassBase.td"

def PipeToNnPass : Pass<"penstock-pipe-to-nn", "mlir::ModuleOp"> {
  let summary = "replace a pipeline by its tensor program";
  let description = "See PipeToNn/PipeToNn.h. Without the host's part, a head plugin in the pipeline is an error.";
  let dependentDialects = ["penstock::nn::NnDialect", "mlir::func::FuncDialect"];
}

def NnToKernelPass : Pass<"penstock-nn-to-kernel", "mlir::ModuleOp"> {
  let summary = "turn contractions and segment operations into kernel.invoke";
  let description = [{
    Rewrites every op of Nn that has a kernel (KernelTable.h) into kernel.invoke, with one kernel.dispatch for each set of
    numbers and packed weight, and one kernel.pack for each handle that holds a weight: before the first use in train_step,
    and in the function @pack for what evaluate and predict use. Adding a vector right after matmul, conv1d or conv1d_max
    becomes the kernel's bias. Element-wise and row-wise ops stay in Nn.
  }];
  let dependentDialects = ["penstock::kernel::KernelDialect", "mlir::func::FuncDialect"];
}

def KernelToLinalgPass : Pass<"penstock-kernel-to-linalg", "mlir::ModuleOp"> {
  let summary = "place values in an arena and write row-wise work as linalg";
  let description = [{
    Lowers all functions of the module (after --penstock-form-regions) to `kernel.entry` and the functions of its steps. Fails
    with a diagnostic at the op that has no lowering.
  }];
  let dependentDialects = ["penstock::kernel::KernelDialect", "mlir::arith::ArithDialect", "mlir::linalg::LinalgDialect",
                           "mlir::LLVM::LLVMDialect", "mlir::math::MathDialect", "mlir::memref::MemRefDialect",
                           "mlir::scf::SCFDialect"];
}

def KernelToLLVMPass : Pass<"penstock-kernel-to-llvm", "mlir::ModuleOp"> {
  let summary = "outline parallel bodies and call kernels through the tables";
  let description = [{
    Turns linalg on rows into scf loops (marked as free of dependences between iterations), every kernel.parallel into a
    function `penstock_body_<n>(context, begin, end, worker)` and one call of the pool, kernel.get into loads from the call
    (abi/program_abi.h), kernel.number into loads from the step's numbers, and kernel.call into a call through the call's table
    of symbols, whose names become the module's `kernel.symbols`. What is left is func, scf, memref, arith, math and llvm.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::LLVM::LLVMDialect", "mlir::memref::MemRefDialect",
                           "mlir::scf::SCFDialect"];
}

#endif
