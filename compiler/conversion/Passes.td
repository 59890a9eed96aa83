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
    Rewrites every op of Nn that has a kernel (kernel_rows.def) into kernel.invoke, with one kernel.dispatch for each set of
    numbers and packed weight, and one kernel.pack for each handle that holds a weight: before the first use in train_step,
    and in the function @pack for what evaluate and predict use. Adding a vector right after matmul, conv1d or conv1d_max
    becomes the kernel's bias. Element-wise and row-wise ops stay in Nn.
  }];
  let dependentDialects = ["penstock::kernel::KernelDialect", "mlir::func::FuncDialect"];
}

//===--- below the regions: the passes of --penstock-kernel-to-linalg (docs/design/passes.md) ------------------------===//

def PlanMemoryPass : Pass<"penstock-plan-memory", "mlir::ModuleOp"> {
  let summary = "decide where the values of every entry lie";
  let description = [{
    Takes functions behind --penstock-form-regions. Every value that leaves a region gets a slot of the entry's arena, by liveness; gradients and
    outputs are computed where they go; values of a block get the worker's scratch. What is decided stands in the attributes that
    KernelToLinalg/PlanAttributes.h lists, the ops of a region in the order in which they run, and `kernel.zeros` between gradients.
    Fails at an op that cannot stand outside of a region, or at a kernel that reads a constant.
  }];
  let dependentDialects = ["penstock::kernel::KernelDialect"];
}

def VerifyPlanPass : Pass<"penstock-verify-plan", "mlir::ModuleOp"> {
  let summary = "check that the plan of every entry can be";
  let description = [{
    Reads the attributes of the plan and knows nothing of how it was made: every value has a place, a slot holds one value at a time, is of the
    value's axis and large enough, gradients lie in the bytes that are reserved for them, values of a block in the worker's scratch.
  }];
}

def FormStepsPass : Pass<"penstock-form-steps", "mlir::ModuleOp"> {
  let summary = "make entries tables of steps, and one function for all steps of a shape";
  let description = [{
    A planned function becomes a `kernel.entry` with one `kernel.step` an op, and the op a function of the call and the step's numbers. Where the
    shape of an op was met before, in this entry or another, the step names that function. A function holds its op with the places of one of its
    steps, and `kernel.numbers` says which of them are numbers of the step.
  }];
  let options = [Option<"profile", "profile", "bool", /*default=*/"false", "steps say what they do">];
  let dependentDialects = ["penstock::kernel::KernelDialect", "mlir::LLVM::LLVMDialect"];
}

class EmitPass<string argument> : Pass<argument, "mlir::ModuleOp"> {
  let dependentDialects = ["penstock::kernel::KernelDialect", "mlir::arith::ArithDialect", "mlir::linalg::LinalgDialect",
                           "mlir::LLVM::LLVMDialect", "mlir::math::MathDialect", "mlir::memref::MemRefDialect",
                           "mlir::scf::SCFDialect", "mlir::vector::VectorDialect", "mlir::func::FuncDialect"];
}

def EmitRowsPass : EmitPass<"penstock-emit-rows"> {
  let summary = "write the code of row regions, and of values that are copied";
  let description = [{
    A region becomes a kernel.parallel over blocks of rows, in which row-wise work (linalg.generic on rows) and kernels (kernel.call) take turns.
  }];
}

def EmitKernelsPass : EmitPass<"penstock-emit-kernels"> {
  let summary = "write the code of kernels outside of regions, and of packing";
}

def EmitOptimizerPass : EmitPass<"penstock-emit-optimizer"> {
  let summary = "write the code of what moves parameters";
}

def SizeScratchPass : Pass<"penstock-size-scratch", "mlir::ModuleOp"> {
  let summary = "give every step the size of a worker's scratch, once all code is written";
  let description = "Fails at the op of a step that no pass before has written code for.";
}

def OutlineLaunchesPass : Pass<"penstock-outline-launches", "mlir::ModuleOp"> {
  let summary = "make the bodies of launches functions of a device";
  let description = [{
    The body of every kernel.launch becomes a function of the nested module `penstock_device`, with the attributes `kernel.threads` and
    `kernel.shared` of a block. What it reads of the call and of the step's numbers become its arguments, 8 bytes each: pointers and numbers
    that follow from capacities. Numbers that differ from step to step it reads from the call's block, which lies on the device. In its
    place the host calls `penstock_launch` (runtime/cuda/launch.h).
  }];
  let dependentDialects = ["penstock::kernel::KernelDialect", "mlir::func::FuncDialect", "mlir::LLVM::LLVMDialect",
                           "mlir::arith::ArithDialect"];
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
