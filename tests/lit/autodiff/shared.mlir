// RUN: pipe-opt %s --penstock-autodiff --cse --canonicalize | FileCheck %s

nn.global @w : tensor<5x5xf32> {tensor_class = "parameter"}

// A weight that is used twice gets one gradient, the sum of both uses.
// CHECK-LABEL: func.func @twice
// CHECK: %[[A:.*]] = nn.weight_grad
// CHECK: %[[B:.*]] = nn.weight_grad
// CHECK: %[[S:.*]] = nn.add %[[A]], %[[B]]
// CHECK: nn.gradient @w, %[[S]]
// CHECK-NOT: nn.gradient
func.func @twice() attributes {nn.differentiate} {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 5xf32>
  %w = nn.read @w : tensor<5x5xf32>
  %y = nn.matmul %x, %w : !nn.rows<records x 5xf32>, tensor<5x5xf32> -> !nn.rows<records x 5xf32>
  %t = nn.tanh %y : !nn.rows<records x 5xf32>
  %z = nn.matmul %t, %w transposed : !nn.rows<records x 5xf32>, tensor<5x5xf32> -> !nn.rows<records x 5xf32>
  %loss = nn.total %z : !nn.rows<records x 5xf32> -> tensor<f32>
  nn.output "loss", %loss {index = 0 : i64} : tensor<f32>
  return
}
