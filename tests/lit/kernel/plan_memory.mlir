// RUN: pipe-opt %s --penstock-form-regions --penstock-plan-memory --penstock-verify-plan | FileCheck %s
// RUN: pipe-opt %s --penstock-form-regions --penstock-plan-memory --penstock-form-steps | FileCheck %s --check-prefix=STEPS

// The sums of records take turns in one slot, the rows of the axis in another; the last sum is computed in the output.
// CHECK: module attributes {kernel.axes = {{\[\[}}"tokens"]]
// CHECK: func.func @predict() attributes {kernel.reserved = 0 : i64, kernel.slots = [#kernel.slot<0 + 20 in 1>, #kernel.slot<0 + 20 in 0>]}
// CHECK: nn.input {{.*}}kernel.places = [#kernel.place<input 0>]
// CHECK: kernel.invoke "segment_sum"{{.*}}kernel.places = [#kernel.place<slot 0 section 1>]
// CHECK: kernel.rows {{.*}}kernel.block = 64 : i64, kernel.places = [#kernel.place<slot 1 section 0>]
// CHECK: kernel.invoke "segment_sum"{{.*}}kernel.places = [#kernel.place<slot 0 section 1>]
// CHECK: kernel.rows {{.*}}kernel.places = [#kernel.place<slot 1 section 0>]
// CHECK: kernel.invoke "segment_sum"{{.*}}kernel.places = [#kernel.place<output 0>]
// CHECK: nn.output {{.*}}kernel.to = #kernel.place<output 0>

// The function of a step stands alone: the op, what other steps computed by its place, and which places are numbers. Both regions are one
// function; the second sum reads a slot where the first read an input, and the output takes no step.
// STEPS: func.func private @penstock_step_0
// STEPS-SAME: kernel.numbers = [#kernel.number<count 5>, #kernel.number<slot 0>]
// STEPS: func.func private @penstock_step_1
// STEPS-SAME: kernel.numbers = [#kernel.number<slot 0>, #kernel.number<slot 1>]
// STEPS-NEXT: kernel.value {kernel.places = [#kernel.place<slot 0 section 1>]}
// STEPS-NEXT: kernel.rows
// STEPS: func.func private @penstock_step_3
// STEPS-NOT: func.func
// STEPS: kernel.entry @predict
// STEPS-NEXT: kernel.step @penstock_step_0 [0, 0, 5, 0, 0]
// STEPS-NEXT: kernel.step @penstock_step_1 [0, 0, 0, 0, 0, 0]
// STEPS-NEXT: kernel.step @penstock_step_2
// STEPS-NEXT: kernel.step @penstock_step_1 [0, 0, 0, 0, 0, 0]
// STEPS-NEXT: kernel.step @penstock_step_3
// STEPS-NEXT: }
func.func @predict() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x @tokens x 5xf32>
  %s = kernel.invoke "segment_sum"(%x) : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x 5xf32>
  %r = nn.broadcast_records %s : !nn.rows<records x 5xf32> -> !nn.rows<records x @tokens x 5xf32>
  %t = nn.tanh %r : !nn.rows<records x @tokens x 5xf32>
  %u = kernel.invoke "segment_sum"(%t) : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x 5xf32>
  %v = nn.broadcast_records %u : !nn.rows<records x 5xf32> -> !nn.rows<records x @tokens x 5xf32>
  %w = nn.tanh %v : !nn.rows<records x @tokens x 5xf32>
  %y = kernel.invoke "segment_sum"(%w) : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x 5xf32>
  nn.output "y", %y {index = 0 : i64} : !nn.rows<records x 5xf32>
  return
}
