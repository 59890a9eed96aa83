// RUN: pipe-opt %s --penstock-autodiff --cse --canonicalize | FileCheck %s

nn.global @low : tensor<5x7xf32> {tensor_class = "parameter", frozen = true}
nn.global @middle : tensor<7x3xf32> {tensor_class = "parameter"}
nn.global @high : tensor<3x2xf32> {tensor_class = "parameter", frozen = true}

// The walk goes through a frozen weight to what learns behind it, and not beyond that: one gradient, one product with the
// transposed weight.
// CHECK-LABEL: func.func @train_step()
// CHECK: %[[G:.*]] = nn.matmul %{{.*}}, %{{.*}} transposed
// CHECK-NOT: transposed
// CHECK: %[[W:.*]] = nn.weight_grad %{{.*}}, %[[G]]
// CHECK-NOT: nn.weight_grad
// CHECK: nn.gradient @middle, %[[W]]
// CHECK-NOT: nn.gradient
func.func @train_step() attributes {nn.differentiate} {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 5xf32>
  %low = nn.read @low : tensor<5x7xf32>
  %middle = nn.read @middle : tensor<7x3xf32>
  %high = nn.read @high : tensor<3x2xf32>
  %a = nn.matmul %x, %low : !nn.rows<records x 5xf32>, tensor<5x7xf32> -> !nn.rows<records x 7xf32>
  %b = nn.matmul %a, %middle : !nn.rows<records x 7xf32>, tensor<7x3xf32> -> !nn.rows<records x 3xf32>
  %c = nn.matmul %b, %high : !nn.rows<records x 3xf32>, tensor<3x2xf32> -> !nn.rows<records x 2xf32>
  %loss = nn.total %c : !nn.rows<records x 2xf32> -> tensor<f32>
  nn.output "loss", %loss {index = 0 : i64} : tensor<f32>
  nn.apply "sgd"
  return
}
