// RUN: pipe-opt %s --penstock-autodiff | FileCheck %s

// The gradients of columns that meet are put side by side; those of others are added where they lie.
// CHECK-LABEL: func.func @meet
// CHECK-NOT: nn.pad
// CHECK: %[[LEFT:.*]] = nn.weight_grad {{.*}} -> tensor<5x2xf32>
// CHECK: %[[W:.*]] = nn.concat %[[LEFT]], %{{.*}} : tensor<5x2xf32>, tensor<5x3xf32> -> tensor<5x5xf32>
// CHECK: nn.gradient @w, %[[W]]
// CHECK-LABEL: func.func @apart
// CHECK: nn.pad %{{.*}} {offset = 1 : i64} : tensor<5x2xf32> -> tensor<5x5xf32>
// CHECK-NOT: nn.concat
// CHECK: return
nn.global @w : tensor<5x5xf32> {tensor_class = "parameter"}
func.func @meet() attributes {nn.differentiate} {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 5xf32>
  %w = nn.read @w : tensor<5x5xf32>
  %a = nn.slice %w {offset = 2 : i64} : tensor<5x5xf32> -> tensor<5x3xf32>
  %b = nn.slice %w {offset = 0 : i64} : tensor<5x5xf32> -> tensor<5x2xf32>
  %y = nn.matmul %x, %a : !nn.rows<records x 5xf32>, tensor<5x3xf32> -> !nn.rows<records x 3xf32>
  %z = nn.matmul %x, %b : !nn.rows<records x 5xf32>, tensor<5x2xf32> -> !nn.rows<records x 2xf32>
  %s = nn.total %y : !nn.rows<records x 3xf32> -> tensor<f32>
  %t = nn.total %z : !nn.rows<records x 2xf32> -> tensor<f32>
  %loss = nn.mul %s, %t : tensor<f32>, tensor<f32> -> tensor<f32>
  nn.output "loss", %loss {index = 0 : i64} : tensor<f32>
  return
}
func.func @apart() attributes {nn.differentiate} {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 5xf32>
  %w = nn.read @w : tensor<5x5xf32>
  %a = nn.slice %w {offset = 1 : i64} : tensor<5x5xf32> -> tensor<5x2xf32>
  %b = nn.slice %w {offset = 2 : i64} : tensor<5x5xf32> -> tensor<5x3xf32>
  %y = nn.matmul %x, %a : !nn.rows<records x 5xf32>, tensor<5x2xf32> -> !nn.rows<records x 2xf32>
  %z = nn.matmul %x, %b : !nn.rows<records x 5xf32>, tensor<5x3xf32> -> !nn.rows<records x 3xf32>
  %s = nn.total %y : !nn.rows<records x 2xf32> -> tensor<f32>
  %t = nn.total %z : !nn.rows<records x 3xf32> -> tensor<f32>
  %loss = nn.mul %s, %t : tensor<f32>, tensor<f32> -> tensor<f32>
  nn.output "loss", %loss {index = 0 : i64} : tensor<f32>
  return
}
