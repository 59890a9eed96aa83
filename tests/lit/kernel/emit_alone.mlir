// RUN: pipe-opt %s --penstock-emit-kernels | FileCheck %s
// RUN: pipe-opt %s --penstock-emit-rows --penstock-emit-kernels --penstock-size-scratch | FileCheck %s --check-prefix=ALL
// RUN: not pipe-opt %s --penstock-emit-kernels --penstock-size-scratch 2>&1 | FileCheck %s --check-prefix=MISSING

// Each pass writes the code of the functions whose op it knows, from the function alone.
// CHECK: func.func private @penstock_step_0
// CHECK: kernel.parallel
// CHECK: kernel.call "segment_sum"
// CHECK-NOT: kernel.invoke
// CHECK: func.func private @penstock_step_1
// CHECK: nn.tanh
// CHECK-NOT: kernel.parallel
// CHECK: kernel.entry

// The size of a worker's scratch is known when all code is written.
// ALL-NOT: nn.tanh
// ALL: kernel.entry @predict
// ALL-NEXT: kernel.step @penstock_step_0 [262144, 0, 5, 0, 0]
// ALL-NEXT: kernel.step @penstock_step_1 [262144, 0, 0, 0]

// MISSING: no code for this operation
module attributes {kernel.axes = [["tokens"]], nn.inputs = [{name = "x", target = false, type = !nn.rows<records x @tokens x 5xf32>}]} {
  func.func private @penstock_step_0(%call: !llvm.ptr, %numbers: !llvm.ptr) attributes {kernel.numbers = [#kernel.number<count 5>, #kernel.number<slot 0>]} {
    %0 = nn.input "x" {index = 0 : i64, kernel.places = [#kernel.place<input 0>]} : !nn.rows<records x @tokens x 5xf32>
    %1 = kernel.invoke "segment_sum"(%0) {kernel.places = [#kernel.place<slot 0 section 1>], kernel.worker = 262144 : i64} : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x 5xf32>
    return
  }
  func.func private @penstock_step_1(%call: !llvm.ptr, %numbers: !llvm.ptr) attributes {kernel.numbers = [#kernel.number<slot 0>]} {
    %0 = kernel.value {kernel.places = [#kernel.place<slot 0 section 1>]} : !nn.rows<records x 5xf32>
    %1 = kernel.rows "records" -> !nn.rows<records x 5xf32> attributes {kernel.block = 64 : i64, kernel.places = [#kernel.place<output 0>], kernel.worker = 0 : i64} {
      %2 = nn.tanh %0 {kernel.places = [#kernel.place<output 0>]} : !nn.rows<records x 5xf32>
      kernel.yield %2 : !nn.rows<records x 5xf32>
    }
    return
  }
  kernel.entry @predict attributes {kernel.outputs = [{name = "y", type = !nn.rows<records x 5xf32>}], kernel.reserved = 0 : i64, kernel.slots = [#kernel.slot<0 + 20 in 1>]} {
    kernel.step @penstock_step_0 [0, 0, 5, 0, 0]
    kernel.step @penstock_step_1 [0, 0, 0, 0]
  }
}
