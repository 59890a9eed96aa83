// RUN: pipe-opt %s --penstock-autodiff --cse --canonicalize | FileCheck %s

nn.global @weight : tensor<4x3xf32> {tensor_class = "parameter"}
nn.global @bias : tensor<3xf32> {tensor_class = "parameter"}
nn.global @mean : tensor<4xf32> {tensor_class = "fitted"}

// Gradients stand in the module's order before the update; the fitted tensor has none, and no cotangent of the input is
// made, because no parameter is behind it.
// CHECK-LABEL: func.func @train_step()
// CHECK-NOT: nn.differentiate
// CHECK: %[[X:.*]] = nn.sub
// CHECK: %[[G:.*]] = nn.cross_entropy_rows_grad
// CHECK-NOT: transposed
// CHECK: %[[DB:.*]] = nn.column_sum %[[G]]
// CHECK: %[[DW:.*]] = nn.weight_grad %[[X]], %[[G]]
// CHECK-NOT: transposed
// CHECK: nn.gradient @weight, %[[DW]]
// CHECK-NEXT: nn.gradient @bias, %[[DB]]
// CHECK-NOT: nn.gradient
// CHECK: nn.apply "sgd"
func.func @train_step() attributes {nn.differentiate} {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 4xf32>
  %label = nn.input "label" {index = 1 : i64} : !nn.rows<records x 1xi32>
  %m = nn.read @mean : tensor<4xf32>
  %c = nn.sub %x, %m : !nn.rows<records x 4xf32>, tensor<4xf32> -> !nn.rows<records x 4xf32>
  %w = nn.read @weight : tensor<4x3xf32>
  %b = nn.read @bias : tensor<3xf32>
  %y = nn.matmul %c, %w : !nn.rows<records x 4xf32>, tensor<4x3xf32> -> !nn.rows<records x 3xf32>
  %z = nn.add %y, %b : !nn.rows<records x 3xf32>, tensor<3xf32> -> !nn.rows<records x 3xf32>
  %rows = nn.cross_entropy_rows %z, %label : !nn.rows<records x 3xf32>, !nn.rows<records x 1xi32> -> !nn.rows<records x 1xf32>
  %loss = nn.total %rows : !nn.rows<records x 1xf32> -> tensor<f32>
  nn.output "loss", %loss {index = 0 : i64} : tensor<f32>
  nn.apply "sgd"
  return
}
