// RUN: pipe-opt %s --penstock-form-regions --penstock-kernel-to-linalg | FileCheck %s

// Sizes that a kernel is only told are numbers of the step: gradients and packings of other widths go through the same code.
// CHECK: func.func private @penstock_step_0(
// CHECK: kernel.call "pack"
// CHECK: func.func private @penstock_step_2(
// CHECK: kernel.call "weight_gradient"
// CHECK-NOT: func.func
// CHECK: kernel.entry @train_step
// CHECK-NEXT: kernel.step @penstock_step_0
// CHECK-NEXT: kernel.step @penstock_step_0
// CHECK-NEXT: kernel.step @penstock_step_1
// CHECK-NEXT: kernel.step @penstock_step_2
// CHECK-NEXT: kernel.step @penstock_step_2
// CHECK-NEXT: }
kernel.dispatch @g0 "weight_gradient" [5, 3, 0]
kernel.dispatch @g1 "weight_gradient" [3, 7, 0]
kernel.dispatch @p0 "matmul" [5, 3, 0, 3, 0]
kernel.dispatch @p1 "matmul" [3, 7, 0, 7, 0]
nn.global @a : tensor<5x3xf32> {tensor_class = "parameter"}
nn.global @b : tensor<3x7xf32> {tensor_class = "parameter"}
func.func @train_step() {
  %0 = nn.input "x" {index = 0 : i64} : !nn.rows<records x @tokens x 5xf32>
  %1 = nn.input "y" {index = 1 : i64} : !nn.rows<records x @tokens x 3xf32>
  %2 = nn.input "z" {index = 2 : i64} : !nn.rows<records x @tokens x 7xf32>
  %pa = nn.read @a : tensor<5x3xf32>
  %pb = nn.read @b : tensor<3x7xf32>
  %x = nn.relu %0 : !nn.rows<records x @tokens x 5xf32>
  %y = nn.relu %1 : !nn.rows<records x @tokens x 3xf32>
  %z = nn.relu %2 : !nn.rows<records x @tokens x 7xf32>
  kernel.pack @p0, %pa : tensor<5x3xf32>
  kernel.pack @p1, %pb : tensor<3x7xf32>
  %a = kernel.invoke "weight_gradient" @g0(%x, %y) : (!nn.rows<records x @tokens x 5xf32>, !nn.rows<records x @tokens x 3xf32>) -> tensor<5x3xf32>
  %b = kernel.invoke "weight_gradient" @g1(%y, %z) : (!nn.rows<records x @tokens x 3xf32>, !nn.rows<records x @tokens x 7xf32>) -> tensor<3x7xf32>
  nn.gradient @a, %a : tensor<5x3xf32>
  nn.gradient @b, %b : tensor<3x7xf32>
  return
}
